/// A moment as a wall clock shows it, for `strftime_now`. The caller has the clock: nothing here reads one.
public struct LocalTime: Sendable, Hashable {
  public var year, month, day, hour, minute, second: Int

  /// `month` and `day` from 1.
  public init(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
    self.year = year
    self.month = month
    self.day = day
    self.hour = hour
    self.minute = minute
    self.second = second
  }

  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
  ]
  private static let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

  /// Days since 0000-03-01 of the proleptic Gregorian calendar.
  private var dayNumber: Int {
    let y = month <= 2 ? year - 1 : year
    let m = (month + 9) % 12
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1
  }

  /// 0: Sunday.
  private var weekday: Int { ((dayNumber + 3) % 7 + 7) % 7 }
  private var yearDay: Int { dayNumber - LocalTime(year: year, month: 1, day: 1).dayNumber + 1 }

  /// C's strftime in the C locale; `fail` makes the error for a code that is not known.
  func formatted(
    _ form: String, _ fail: (TemplateError.Kind, String) -> TemplateError
  ) throws(TemplateError) -> String {
    func padded(_ value: Int, _ width: Int = 2, with fill: String = "0") -> String {
      let text = String(value)
      return String(repeating: fill, count: max(0, width - text.count)) + text
    }
    let month = Self.months[min(max(month, 1), 12) - 1]
    let weekdayName = Self.days[weekday]
    var out = ""
    var codes = form.unicodeScalars.makeIterator()
    while let scalar = codes.next() {
      guard scalar == "%" else {
        out.unicodeScalars.append(scalar)
        continue
      }
      guard var code = codes.next() else {
        out += "%"
        break
      }
      var isBare = false
      if code == "-", let next = codes.next() {
        (isBare, code) = (true, next)
      }
      func number(_ value: Int, _ width: Int = 2, with fill: String = "0") -> String {
        isBare ? String(value) : padded(value, width, with: fill)
      }
      switch code {
      case "Y": out += String(year)
      case "y": out += number(((year % 100) + 100) % 100)
      case "m": out += number(self.month)
      case "d": out += number(day)
      case "e": out += number(day, with: " ")
      case "H": out += number(hour)
      case "I": out += number((hour + 11) % 12 + 1)
      case "M": out += number(minute)
      case "S": out += number(second)
      case "p": out += hour < 12 ? "AM" : "PM"
      case "B": out += month
      case "b", "h": out += String(month.prefix(3))
      case "A": out += weekdayName
      case "a": out += String(weekdayName.prefix(3))
      case "j": out += number(yearDay, 3)
      case "w": out += String(weekday)
      case "u": out += String(weekday == 0 ? 7 : weekday)
      case "f": out += "000000"
      case "F": out += "\(year)-\(padded(self.month))-\(padded(day))"
      case "T", "X": out += "\(padded(hour)):\(padded(minute)):\(padded(second))"
      case "R": out += "\(padded(hour)):\(padded(minute))"
      case "D", "x": out += "\(padded(self.month))/\(padded(day))/\(padded(year % 100))"
      case "c":
        out += "\(weekdayName.prefix(3)) \(month.prefix(3)) \(padded(day, with: " ")) "
        out += "\(padded(hour)):\(padded(minute)):\(padded(second)) \(year)"
      case "n": out += "\n"
      case "t": out += "\t"
      case "z", "Z": break  // a moment without time zone prints none
      case "%": out += "%"
      default: throw fail(.unsupported, "strftime_now does not know '%\(code)'")
      }
    }
    return out
  }
}
