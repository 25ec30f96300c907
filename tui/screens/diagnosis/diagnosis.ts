import {
  type DiagnosedHop,
  type DiagnoseLinkResponse,
  HopVerdict,
  type LinkDiagnosis,
} from "../../../proto/gen/zor/v1/link_service.js";
import { shortName } from "../../kit/resource-name.js";
import { type DescribeLine, field, heading, text } from "../../kit/describe/line.js";
import { formatAge } from "../../kit/format.js";
import type { StateStyle } from "../../kit/states.js";

/** More hops than any link has; what is sent on top is not kept. */
const mostHops = 64;

/** A diagnosis of a link, as far as it has come. */
export class Diagnosis {
  readonly #startedAtMs: number;
  readonly #hops: DiagnosedHop[] = [];
  #conclusion: LinkDiagnosis | undefined;
  #failure: string | undefined;
  #endedAtMs: number | undefined;

  constructor(nowMs: number) {
    this.#startedAtMs = nowMs;
  }

  get running(): boolean {
    return this.#endedAtMs === undefined;
  }

  /** Takes the next message of the stream. */
  apply({ message }: DiagnoseLinkResponse): void {
    if (message?.$case === "hop" && this.#hops.length < mostHops) this.#hops.push(message.value);
    if (message?.$case === "diagnosis") this.#conclusion = message.value;
  }

  /** The stream has ended; `failure` says why when it ended in an error. */
  end(nowMs: number, failure?: string): void {
    this.#endedAtMs = nowMs;
    if (failure === undefined && this.#conclusion === undefined)
      this.#failure = "the hub ended it without a conclusion";
    else this.#failure = failure;
  }

  /** The conclusion, then every hop with what was seen: in the order of the cable while they come, and then what is wrong first. */
  lines(nowMs: number): readonly DescribeLine[] {
    const head = this.#head(nowMs);
    if (this.#conclusion === undefined) {
      const more = this.running ? [text("◐ testing the next hop ...", "busy")] : [];
      return [...head, ...section("Hops", this.#hops), ...more];
    }
    const isWrong = ({ verdict }: DiagnosedHop): boolean => !fine.has(verdict);
    const isUntested = ({ verdict }: DiagnosedHop): boolean => verdict === HopVerdict.HOP_VERDICT_SKIPPED;
    const works = this.#hops.filter((hop) => !isWrong(hop) && !isUntested(hop));
    return [
      ...head,
      ...section("Wrong", this.#hops.filter(isWrong)),
      ...section("Not tested", this.#hops.filter(isUntested)),
      ...section("Works", works),
    ];
  }

  #head(nowMs: number): readonly DescribeLine[] {
    const took = formatAge((this.#endedAtMs ?? nowMs) - this.#startedAtMs);
    const conclusion = this.#conclusion;
    if (conclusion !== undefined) {
      const { healthy, summary, remedy } = conclusion;
      return [
        field("conclusion", { text: `${healthy ? "●" : "✗"} ${summary}`, tone: healthy ? "good" : "bad" }),
        ...(remedy === "" ? [] : [field("what to do", { text: remedy, tone: "strong" as const })]),
        field("took", `${took}; D tests again`),
      ];
    }
    if (this.#failure !== undefined) {
      return [field("failed", { text: `✗ ${this.#failure}`, tone: "bad" }), field("took", `${took}; D tests again`)];
    }
    return [field("conclusion", { text: `◐ not yet; testing for ${took}`, tone: "busy" })];
  }
}

const verdicts: ReadonlyMap<HopVerdict, StateStyle> = new Map([
  [HopVerdict.HOP_VERDICT_OK, { symbol: "●", word: "ok", tone: "good" }],
  [HopVerdict.HOP_VERDICT_WARNING, { symbol: "!", word: "warning", tone: "warn" }],
  [HopVerdict.HOP_VERDICT_BROKEN, { symbol: "✗", word: "BROKEN", tone: "bad" }],
  [HopVerdict.HOP_VERDICT_SKIPPED, { symbol: "○", word: "not tested", tone: "dim" }],
]);

/** Of hops that nothing is wrong with, as far as is known. */
const fine: ReadonlySet<HopVerdict> = new Set([HopVerdict.HOP_VERDICT_OK, HopVerdict.HOP_VERDICT_SKIPPED]);

const unknownVerdict: StateStyle = { symbol: "?", word: "unknown", tone: "warn" };

function section(title: string, hops: readonly DiagnosedHop[]): readonly DescribeLine[] {
  return hops.length === 0 ? [] : [heading(`${title} (${hops.length})`), ...hops.flatMap(hopLines)];
}

function hopLines({ host, hop, verdict, detail, remedy }: DiagnosedHop): readonly DescribeLine[] {
  const { symbol, word, tone } = verdicts.get(verdict) ?? unknownVerdict;
  const seen = verdict === HopVerdict.HOP_VERDICT_OK ? detail : `${word}: ${detail}`;
  const where = host === "" ? hop : `${shortName(host)} ${hop}`;
  return [
    field(`${symbol} ${where}`, { text: seen, tone: tone === "good" ? "plain" : tone }),
    ...(remedy === "" ? [] : [field("", { text: `→ ${remedy}`, tone: "strong" as const })]),
  ];
}
