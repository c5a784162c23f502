/// A picture of numbers. Drawn twice, for a page's width and for a phone's; the page shows the one that fits.
public enum Plot: Sendable, Hashable {
  case scatter(Scatter)
  case lines(Lines)
  case bars(Bars)
  case regions(RegionMap)
}

/// What an axis shows.
public struct Axis: Sendable, Hashable {
  /// How numbers along an axis are written: as they are, or 0.25 as 25 %.
  public enum Format: Sendable { case number, percent }

  /// What is measured, with its unit.
  public var title: String
  /// How its numbers are written.
  public var format: Format
  /// Whether equal factors are equal lengths; every value must then be above 0.
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
  /// A result.
  public struct Point: Sendable, Hashable {
    /// Beside the mark.
    public var label: String
    /// In the unit of the axis; a point that is no number is left out.
    public var x: Double
    /// In the unit of the axis.
    public var y: Double
    /// Half lengths of the bars.
    public var xError: Double?
    /// As `xError`, upright.
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

  /// Above the plot.
  public var title: String
  /// From left to right.
  public var x: Axis
  /// Upwards.
  public var y: Axis
  /// In the order in which groups take colours.
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
  /// A curve.
  public struct Line: Sendable, Hashable {
    /// At the curve's end; empty: none.
    public var label: String
    /// As many as `ys`, ascending.
    public var xs: [Double]
    /// In the unit of the axis; what is no number is left out.
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

  /// Above the plot.
  public var title: String
  /// From left to right.
  public var x: Axis
  /// Upwards.
  public var y: Axis
  /// In the order in which groups take colours.
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
  /// A number drawn as a length.
  public struct Bar: Sendable, Hashable {
    /// Before the bar.
    public var label: String
    /// In the unit of the axis.
    public var value: Double
    /// Half length of the bar's whisker.
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

  /// Bars that belong together.
  public struct Group: Sendable, Hashable {
    /// Above the bars.
    public var title: String
    /// From top to bottom.
    public var bars: [Bar]

    public init(_ title: String, _ bars: [Bar]) {
      self.title = title
      self.bars = bars
    }
  }

  /// Above the plot.
  public var title: String
  /// Of all bars; 0 is always on it.
  public var axis: Axis
  /// From top to bottom.
  public var groups: [Group]

  public init(_ title: String, axis: Axis, groups: [Group]) {
    self.title = title
    self.axis = axis
    self.groups = groups
  }
}
