import HoldfastBasics
import HoldfastEvaluation
import Testing

@Suite("Programs of a model, locked in", .enabled(if: Files.exists("/usr/bin/bwrap") || Files.exists("/usr/local/bin/bwrap"), "bubblewrap is not there"))
struct ProgramTests {
  @Test("exit status decides; no network, no writing, no environment, an end to time and memory")
  func lockedIn() throws {
    try ProgramRun.check()
    func passes(_ program: String, timeout: Double = 10) throws -> Bool { try ProgramRun(program, timeout: timeout).passes() }
    #expect(try passes("assert 1 + 1 == 2\n"))
    #expect(try !passes("assert 1 + 1 == 3\n"))
    #expect(try !passes("def f(:\n"))
    #expect(try !passes("while True: pass\n", timeout: 1))
    #expect(try !passes("x = bytearray(8 << 30)\n"))
    #expect(try !passes("import socket; socket.create_connection(('127.0.0.1', 22), 1)\n"))
    #expect(try !passes("open('/usr/x', 'w')\n"))
    #expect(try passes("open('/tmp/holdfast-escaped', 'w').write('a')\nimport os\nassert 'HOME' not in os.environ\nassert len([p for p in os.listdir('/tmp')]) == 1\n"))
    #expect(!Files.exists("/tmp/holdfast-escaped"))
  }
}
