import ArgumentParser

@main
struct HoldfastCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "holdfast",
    abstract: "Adapt a language model to your domain, keep what it knew, and see both on one page.",
    subcommands: [
      BenchCommand.self,
      BlendCommand.self,
      ChatCommand.self,
      CheckCommand.self,
      DemoCommand.self,
      DistanceCommand.self,
      DoctorCommand.self,
      EvaluateCommand.self,
      FrontierCommand.self,
      GateCommand.self,
      GenerateCommand.self,
      MethodsCommand.self,
      ParityCommand.self,
      PlanCommand.self,
      RenderCommand.self,
      ResumeCommand.self,
      RunsCommand.self,
      ScoreCommand.self,
      SearchCommand.self,
      ServeCommand.self,
      TokenizeCommand.self,
      TrajectoryCommand.self,
      TuneCommand.self,
      VerifyCommand.self,
      WorldCommand.self,
    ])

  static func main() async {
    LargePages.use()
    Waiting.sleepsSoon()
    await main(nil)
  }
}
