const minuteS = 60;
const hourS = 60 * minuteS;
const dayS = 24 * hourS;

/** An age or duration in at most two units: "7s", "3m12s", "5h07m", "12d4h". Negative ones count as 0. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < minuteS) return `${seconds}s`;
  if (seconds < hourS) return `${Math.floor(seconds / minuteS)}m${pad(seconds % minuteS)}s`;
  if (seconds < dayS) return `${Math.floor(seconds / hourS)}h${pad(Math.floor((seconds % hourS) / minuteS))}m`;
  return `${Math.floor(seconds / dayS)}d${Math.floor((seconds % dayS) / hourS)}h`;
}

const scales = ["", "K", "M", "G", "T", "P", "E"];

/** A count in at most four characters: "999", "1.2K", "34M". `base` is 1000 for counts, 1024 for bytes. */
export function formatCount(value: bigint | number, base: 1000 | 1024 = 1000): string {
  let rest = Number(value);
  let scale = 0;
  while (rest >= 999.5 && scale < scales.length - 1) {
    rest /= base;
    scale += 1;
  }
  const digits = scale > 0 && rest < 9.95 ? rest.toFixed(1) : Math.round(rest).toString();
  return `${digits}${scales[scale] ?? ""}`;
}

/** A rate of bits in at most eight characters: "0", "64kb/s", "1.5Mb/s", "10Gb/s". */
export function formatBits(bitsPerSecond: bigint | number): string {
  return Number(bitsPerSecond) === 0 ? "0" : `${formatCount(bitsPerSecond).replace("K", "k")}b/s`;
}

/** A loss ratio of 0 to 1 in percent: "0%", "0.4%", "12%". */
export function formatLoss(ratio: number): string {
  const percent = ratio * 100;
  if (percent === 0) return "0%";
  return percent < 10 ? `${percent.toFixed(1)}%` : `${Math.round(percent)}%`;
}

/** Local time of day, "05:09:46", with the day in front when it is not today: "11-20 05:09:46". */
export function formatTime(time: Date, nowMs: number): string {
  const clock = `${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}`;
  const sameDay = new Date(nowMs).toDateString() === time.toDateString();
  return sameDay ? clock : `${pad(time.getMonth() + 1)}-${pad(time.getDate())} ${clock}`;
}

function pad(value: number): string {
  return value.toString().padStart(2, "0");
}
