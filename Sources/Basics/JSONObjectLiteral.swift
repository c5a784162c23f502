extension JSONObject: ExpressibleByDictionaryLiteral {
  /// Members in the order written; of a key that stands twice the last value holds, in the first one's place.
  public init(dictionaryLiteral members: (String, JSON)...) { self.init(members) }
}
