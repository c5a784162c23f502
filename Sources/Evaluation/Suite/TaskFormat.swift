internal import HoldfastBasics

/// How the rows of well-known sets are asked. Formats only: the files are the user's.
enum TaskFormat: String, KeyChoice {
  case arc, gsm8k, humaneval, ifeval, instruction, mbpp, preference, pubmedqa, text, world

  /// Keys of a task that hold where the task does not say otherwise.
  var defaults: JSONObject {
    switch self {
    case .arc:
      // Three wordings of a question; the options come from the row.
      ["kind": "choice", "prompt": [
        "Question: {{ question.stem }}\nAnswer:", "Q: {{ question.stem }}\nA:", "{{ question.stem }}\nThe answer is",
      ]]
    case .gsm8k:
      [
        "kind": "generate", "metric": "numeric", "prompt": "Question: {{ question }}\nAnswer:", "completion": " {{ answer }}",
        "answer": "{{ answer.split('####')[-1].strip() }}", "extract": "####\\s*(.*)", "stop": ["\nQuestion:", "\n\n"], "max_tokens": 320,
      ]
    case .humaneval:
      [
        "kind": "code", "prompt": "{{ prompt }}", "program": "{{ prompt }}{{ completion }}\n{{ test }}\ncheck({{ entry_point }})\n",
        "stop": ["\nclass ", "\ndef ", "\n#", "\n@", "\nif ", "\nprint(", "\nassert "], "max_tokens": 384,
      ]
    case .mbpp:
      [
        "kind": "code", "prompt": "\"\"\"\n{{ text }}\n{{ test_list | join('\n') }}\n\"\"\"\n",
        "program": "{{ test_setup_code }}\n{{ completion }}\n{{ test_list | join('\n') }}\n",
        "stop": ["\nassert ", "\n\"\"\"", "\nprint(", "\nif __name__"], "max_tokens": 384,
      ]
    case .ifeval: ["kind": "ifeval", "prompt": "{{ prompt }}", "max_tokens": 1024, "stop": []]
    case .instruction:
      [
        "kind": "reference",
        "prompt": "### Instruction:\n{{ instruction }}\n\n{% if input %}### Input:\n{{ input }}\n\n{% endif %}### Response:",
        "answer": "\n{{ output }}",
      ]
    case .preference:
      [
        "kind": "choice", "prompt": "{{ chosen.rsplit('\n\nAssistant:', 1)[0] }}\n\nAssistant:",
        "options": ["{{ chosen.rsplit('\n\nAssistant:', 1)[1] }}", "{{ rejected.rsplit('\n\nAssistant:', 1)[1] }}"], "correct": "0",
      ]
    case .pubmedqa:
      [
        "kind": "choice",
        "prompt": [
          "Abstract: {{ CONTEXTS | join('\n') }}\nQuestion: {{ QUESTION }}\nAnswer:", "{{ CONTEXTS | join('\n') }}\n{{ QUESTION }}\nAnswer (yes, no or maybe):",
        ],
        "options": [" yes", " no", " maybe"], "correct": "{{ final_decision }}", "normalization": "none",
      ]
    case .text: ["kind": "nll"]
    case .world: ["kind": "generate", "prompt": "{{ prompt }}", "answer": "{{ completion }}", "metric": "exact"]
    }
  }
}

extension KeySource {
  /// The source with every task's format written out. An unknown format is left for the reader to complain about.
  func withFormats() -> KeySource {
    guard let tasks = object["tasks"] else { return self }
    var copy = self
    let written = (tasks.array ?? [tasks]).map { task -> JSON in
      guard var object = task.object, let format = object["format"]?.string.flatMap(TaskFormat.init(rawValue:)) else { return task }
      // Another kind of question over the same rows keeps what a question is, not how its answer is judged.
      let kind = object["kind"]?.string, own = format.defaults["kind"]?.string
      let shared: Set = ["prompt", "completion", "answer", "options", "correct", "max_tokens", "stop"]
      for (key, value) in format.defaults.members where object[key] == nil {
        if kind == nil || kind == own || shared.contains(key) && TaskKeys.of(kind!).contains(key) { object[key] = value }
      }
      return .object(object)
    }
    copy.object["tasks"] = .array(written)
    return copy
  }
}

/// Which keys a kind of task reads beside those that all have.
enum TaskKeys {
  static func of(_ kind: String) -> Set<String> {
    guard let kind = EvaluationTask.Kind(rawValue: kind) else { return [] }
    let asked: Set = ["prompt", "shots", "shots_file", "chat"]
    let written: Set = ["prompt", "chat", "max_tokens", "stop", "samples"]
    switch kind {
    case .nll: return ["prompt", "window", "bytes"]
    case .choice: return asked.union(["options", "correct", "answer", "normalization"])
    case .generate: return asked.union(written).union(["answer", "completion", "extract"])
    case .ifeval: return written
    case .reference: return asked.union(["answer"])
    case .code: return written.union(["program", "allow_code", "timeout"])
    case .drift: return ["prompt", "answer", "window", "bytes"]
    }
  }
}
