import { findFigure } from "../../../lib/figures/figure-table.js";
import { Figure } from "../../../proto/gen/zor/v1/figures.js";
import { formatBytes, formatCount } from "../format.js";

/** A value of a figure for people: "0.52 cores", "1.5M/s", "47.2 °C". */
export function figureText(figure: Figure, value: number): string {
  if (figure === Figure.FIGURE_TEMPERATURE) return `${(value / 1000).toFixed(1)} °C`;
  if (figure === Figure.FIGURE_LOAD) return (value / 100).toFixed(2);
  switch (findFigure(figure)?.unit) {
    case "millicores":
      return `${(value / 1000).toFixed(2)} cores`;
    case "milliseconds":
      return `${(value / 1000).toFixed(1)} s`;
    case "permille":
      return `${(value / 10).toFixed(1)}%`;
    case "bytes":
      return formatBytes(Math.round(value));
    case "bytes per second":
      return `${formatBytes(Math.round(value))}/s`;
    case "per second":
      return `${formatCount(value)}/s`;
    default:
      return formatCount(value);
  }
}
