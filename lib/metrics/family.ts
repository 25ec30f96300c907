/** What Prometheus knows a family of series as. */
export type MetricType = "counter" | "gauge";

/** A family of series: all that is said of it beside its values. */
export interface Family {
  /** In the word order of node_exporter: what it is of, what is measured, its unit, "total" for counters. */
  readonly name: string;
  readonly type: MetricType;
  /** For people, on one line. */
  readonly help: string;
  readonly labels: readonly string[];
}

/** Writes a sample: the values of the labels in their order, then its own. Undefined: there is none. */
export type Emit = (labels: readonly string[], value: number | bigint | undefined) => void;

/** A family, with how its samples are read off a source. */
export interface Sampled<Source> extends Family {
  readonly sample: (source: Source, emit: Emit) => void;
}

/** About so many characters are handed on at once. */
const pieceLength = 16 * 1024;

/** The text of one family's samples, as they come. */
export class SampleText {
  readonly #family: Family;
  readonly #names: readonly string[];
  readonly #pieces: string[] = [];
  #piece = "";
  readonly emit: Emit = (labels, value) => {
    if (value === undefined) return;
    let text = this.#family.name;
    for (const [index, name] of this.#names.entries()) text += `${name}${escapeLabel(labels[index] ?? "")}"`;
    this.#piece += `${text}${this.#names.length === 0 ? "" : "}"} ${value}\n`;
    if (this.#piece.length < pieceLength) return;
    this.#pieces.push(this.#piece);
    this.#piece = "";
  };
  constructor(family: Family) {
    this.#family = family;
    this.#names = family.labels.map((label, index) => `${index === 0 ? "{" : ","}${label}="`);
  }

  /** The whole of it, piece by piece; a family without samples is left out. */
  get pieces(): readonly string[] {
    const { name, help, type } = this.#family;
    if (this.#piece === "" && this.#pieces.length === 0) return [];
    return [`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`, ...this.#pieces, this.#piece];
  }
}

/** A value as it may stand between quotes; what agents and guests say is among them. */
function escapeLabel(value: string): string {
  return /["\\\n]/.test(value) ? value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n") : value;
}
