const cells = 10;
/** Eighths of a cell. */
const parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"] as const;

/** How much is done, as a bar of ten cells. */
export function progressBar(percent: number): string {
  const eighths = Math.round((Math.max(0, Math.min(100, percent)) / 100) * cells * parts.length);
  const whole = Math.floor(eighths / parts.length);
  const part = parts[eighths % parts.length] ?? "";
  return `${"█".repeat(whole)}${part}`.padEnd(cells, "·");
}
