import ArgumentParser
import HoldfastBasics
import HoldfastMethods
import HoldfastRecords
import HoldfastReports
import HoldfastStudies
import HoldfastTraining

/// `tune` and `resume` for recipes with stages.
enum TuneStages {
  static func read(_ path: String, _ overrides: [(key: String, value: String)]) throws -> StagedRecipe {
    do {
      return try StagedRecipe(file: path, overrides: overrides, methods: tuningMethods.map { $0.keys })
    } catch let problems as Problems {
      printError("Error: \(problems)")
      throw ExitCode(64)
    }
  }

  static func isSequence(_ folder: String) -> Bool { Files.exists(folder + "/" + StageSequence.description) }

  private static func sequence(_ recipe: StagedRecipe, _ folder: String, isStrict: Bool) throws -> StageSequence {
    var sequence = StageSequence(recipe, in: folder)
    sequence.place = try modelFolder(recipe.stages[0].recipe.model)
    sequence.cache = dataCache(isStrict: isStrict)
    sequence.workers = Machine.processors
    return sequence
  }

  static func dryRun(_ recipe: StagedRecipe, in folder: String, isStrict: Bool) throws {
    try sequence(recipe, folder, isStrict: isStrict).dryRun(surroundings: ThisProcess.surroundings, messages: chatTemplate) { run, path in
      RunConsole(run, folder: path)
    }
    print("dry run: one step of each of the \(recipe.stages.count) stages, its export and its tests are fine; nothing was left behind")
  }

  static func run(_ recipe: StagedRecipe, in folder: String, isStrict: Bool, allowsOtherBits: Bool = false) throws {
    var sequence = try sequence(recipe, folder, isStrict: isStrict)
    sequence.allowsOtherBits = allowsOtherBits
    ThisProcess.noteInterrupts()
    let outcome = try sequence.run(surroundings: ThisProcess.surroundings, messages: chatTemplate) { run, path in
      RunConsole(run, folder: path)
    } onEvent: { event in
      switch event {
      case .measuring(let what): printError("measuring \(what)")
      case .training(_, let name, let number, let total, _): printError("stage \(number) of \(total): \(name)")
      case .measured(let matrix):
        printError(StageReport(matrix, name: Files.name(of: folder)).table.terminal(width: Terminal.width, colour: false))
      }
      if ThisProcess.isInterrupted {
        printError("interrupted; go on with: holdfast resume \(folder)")
        throw ExitCode(ThisProcess.interruptedStatus)
      }
    }
    switch outcome {
    case .interrupted(let result):
      printError("interrupted in \(Files.name(of: result.folder.path)) after step \(result.steps) and saved; go on with: holdfast resume \(folder)")
      throw ExitCode(ThisProcess.interruptedStatus)
    case .finished(let matrix):
      let report = StageReport(matrix, name: Files.name(of: folder))
      try Files.writeAtomically(report.page.html, to: folder + "/report.html")
      print(report.table.terminal(width: Terminal.width, colour: Terminal.hasColour))
      print(report.summary.terminal(width: Terminal.width, colour: Terminal.hasColour))
      print("the page: \(folder)/report.html")
    }
  }
}
