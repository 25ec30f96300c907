import { toMs } from "../../lib/duration.js";
import type { Duration } from "../../proto/gen/google/protobuf/duration.js";

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

/** The age of a moment, or "-" when there was none. */
export function formatAgeOf(moment: Date | undefined, now: Date): string {
  return moment === undefined ? "-" : formatAge(now.getTime() - moment.getTime());
}

/** A round trip: "85us", "0.42ms", "12.3ms", "1.20s", or "-" when not measured. */
export function formatRtt(rtt: Duration | undefined): string {
  return rtt === undefined ? "-" : shortTime(toMs(rtt));
}

/** Milliseconds: "85us", "12.3ms", "1.20s", and from a minute on as ages are, "3m12s". */
export function formatMs(milliseconds: number): string {
  return milliseconds < 60_000 ? shortTime(milliseconds) : formatAge(milliseconds);
}

function shortTime(milliseconds: number): string {
  if (milliseconds < 0.1) return `${Math.round(milliseconds * 1000)}us`;
  if (milliseconds < 10) return `${milliseconds.toFixed(2)}ms`;
  if (milliseconds < 1000) return `${milliseconds.toFixed(1)}ms`;
  return `${(milliseconds / 1000).toFixed(2)}s`;
}

/** Memory given in MiB: "256M", "1.5G", "2T". */
export function formatMib(mib: bigint | number): string {
  return formatBinary(mib, ["M", "G", "T"]);
}

/** A count of bytes: "512B", "1.5K", "20.1M", "3.2G". */
export function formatBytes(bytes: bigint | number): string {
  return formatBinary(bytes, ["B", "K", "M", "G", "T", "P"]);
}

/** A value in the largest unit it is at least one of, with one decimal where that says something; each unit is 1024 of the one before. */
function formatBinary(value: bigint | number, units: readonly string[]): string {
  let rest = Number(value);
  let unit = 0;
  while (rest >= 1024 && unit < units.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  const digits = unit === 0 ? `${rest}` : rest.toFixed(1).replace(/\.0$/, "");
  return `${digits}${units[unit] ?? ""}`;
}

function pad(value: number): string {
  return value.toString().padStart(2, "0");
}
