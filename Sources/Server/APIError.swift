internal import HTTPTypes
internal import HoldfastBasics
internal import Hummingbird

/// A refusal in the form that OpenAI's clients read.
struct APIError: Error {
  var status: HTTPResponse.Status
  var message: String
  var type = "invalid_request_error"
  /// The field that is wrong.
  var parameter: String?
  var code: String?
  var retryAfter: Int?

  static func bad(_ message: String, parameter: String? = nil, code: String? = nil) -> APIError {
    APIError(status: .badRequest, message: message, parameter: parameter, code: code)
  }

  static let noKey = APIError(
    status: .unauthorized, message: "no valid key: send Authorization: Bearer KEY with the key that the server was started with",
    type: "authentication_error", code: "invalid_api_key")
  static let busy = APIError(
    status: .tooManyRequests, message: "the queue is full; try again", type: "rate_limit_error", code: "queue_full", retryAfter: 1)
  static let closing = APIError(
    status: .serviceUnavailable, message: "the server is shutting down", type: "server_error", code: "shutting_down", retryAfter: 30)
  static func late(_ seconds: Double) -> APIError {
    APIError(status: .gatewayTimeout, message: "the request took longer than \(seconds) seconds", type: "server_error", code: "timeout")
  }

  /// What the engine or the texts threw.
  init(_ error: any Error) {
    switch error {
    case let error as APIError: self = error
    case let error as Problems: self = .bad(error.complaints.joined(separator: "; "))
    case let error as HTTPError: self.init(status: error.status, message: error.body ?? error.status.reasonPhrase)
    default: self.init(status: .internalServerError, message: "\(error)", type: "server_error")
    }
  }

  init(
    status: HTTPResponse.Status, message: String, type: String = "invalid_request_error", parameter: String? = nil, code: String? = nil,
    retryAfter: Int? = nil
  ) {
    (self.status, self.message, self.type, self.parameter, self.code, self.retryAfter) = (status, message, type, parameter, code, retryAfter)
  }

  var json: JSON {
    [
      "error": [
        "message": .string(message), "type": .string(type), "param": parameter.map(JSON.string) ?? .null,
        "code": code.map(JSON.string) ?? .null,
      ]
    ]
  }

  var response: Response {
    var response = Response(json, status: status)
    if let retryAfter { response.headers[.retryAfter] = String(retryAfter) }
    if status == .unauthorized { response.headers[.wwwAuthenticate] = "Basic realm=\"holdfast: any user, the key as password\"" }
    return response
  }
}

extension Response {
  init(_ json: JSON, status: HTTPResponse.Status = .ok) {
    var bytes: [UInt8] = []
    json.write(to: &bytes)
    self.init(status: status, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }

  init(text: String, type: String) {
    self.init(status: .ok, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }
}
