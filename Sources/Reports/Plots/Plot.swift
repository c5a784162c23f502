/// A picture of numbers. Drawn twice, for a page's width and for a phone's; the page shows the one that fits.
public enum Plot: Sendable, Hashable {
  case scatter(Scatter)
  case lines(Lines)
  case bars(Bars)
}

/// What an axis shows.
public struct Axis: Sendable, Hashable {
  public enum Format: Sendable { case number, percent }

  public var title: String
  public var format: Format
  public var isLogarithmic: Bool
  /// Values that must be within the axis.
  public var including: [Double]

  public init(_ title: String, _ format: Format = .number, isLogarithmic: Bool = false, including: [Double] = []) {
    self.title = title
    self.format = format
    self.isLogarithmic = isLogarithmic
    self.including = including
  }
}

/// Points with uncertainties, and arrows from where they began: speciality against versatility.
public struct Scatter: Sendable, Hashable {
  public struct Point: Sendable, Hashable {
    public var label: String
    public var x: Double
    public var y: Double
    /// Half lengths of the bars.
    public var xError: Double?
    public var yError: Double?
    /// Points of a group share colour and shape, and are joined by a line in their order.
    public var group: String

    public init(_ label: String, x: Double, y: Double, xError: Double? = nil, yError: Double? = nil, group: String? = nil) {
      self.label = label
      self.x = x
      self.y = y
      self.xError = xError
      self.yError = yError
      self.group = group ?? label
    }
  }

  public var title: String
  public var x: Axis
  public var y: Axis
  public var points: [Point]
  /// Where all began; drawn hollow, with dashed lines through it.
  public var base: Point?
  /// Whether an arrow leads from the base to each group's first point.
  public var hasArrows: Bool

  public init(_ title: String, x: Axis, y: Axis, points: [Point], base: Point? = nil, hasArrows: Bool = true) {
    self.title = title
    self.x = x
    self.y = y
    self.points = points
    self.base = base
    self.hasArrows = hasArrows
  }
}

/// Curves over a common axis: learning and forgetting.
public struct Lines: Sendable, Hashable {
  public struct Line: Sendable, Hashable {
    public var label: String
    public var xs: [Double]
    public var ys: [Double]
    /// Half widths of a band around the line.
    public var errors: [Double]?
    /// Lines of a group share a colour.
    public var group: String
    /// Drawn in the background, without a label: the raw values behind a smoothed curve. Shares the colour of the
    /// next line that is not.
    public var isFaint: Bool

    public init(
      _ label: String, xs: [Double], ys: [Double], errors: [Double]? = nil, group: String? = nil, isFaint: Bool = false
    ) {
      precondition(xs.count == ys.count && errors.map { $0.count == ys.count } ?? true, "a line needs as many x as y")
      self.label = label
      self.xs = xs
      self.ys = ys
      self.errors = errors
      self.group = group ?? label
      self.isFaint = isFaint
    }
  }

  public var title: String
  public var x: Axis
  public var y: Axis
  public var lines: [Line]

  public init(_ title: String, x: Axis, y: Axis, lines: [Line]) {
    self.title = title
    self.x = x
    self.y = y
    self.lines = lines
  }
}

/// Horizontal bars in groups, each with its name before it and its value after it.
public struct Bars: Sendable, Hashable {
  public struct Bar: Sendable, Hashable {
    public var label: String
    public var value: Double
    public var error: Double?
    /// Bars of a group share a colour, here and with the points of a scatter plot on the same page.
    public var group: String

    public init(_ label: String, _ value: Double, error: Double? = nil, group: String? = nil) {
      self.label = label
      self.value = value
      self.error = error
      self.group = group ?? label
    }
  }

  public struct Group: Sendable, Hashable {
    public var title: String
    public var bars: [Bar]

    public init(_ title: String, _ bars: [Bar]) {
      self.title = title
      self.bars = bars
    }
  }

  public var title: String
  public var axis: Axis
  public var groups: [Group]

  public init(_ title: String, axis: Axis, groups: [Group]) {
    self.title = title
    self.axis = axis
    self.groups = groups
  }
}
