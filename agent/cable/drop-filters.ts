import { invalidFields, ZorError } from "../../lib/errors.js";
import { type DropFilterField, dropFiltersIn } from "../../lib/impairment.js";
import type { DropProgram } from "../../proto/gen/zor/agent/v1/cable_service.js";
import type { Impairment, ImpairmentStep } from "../../proto/gen/zor/v1/impairment.js";
import { packInstructions } from "../network/captures/bpf.js";
import { compileExpression } from "../network/captures/compile-filter.js";

/** More than the largest frame of a tap. */
const snapBytes = 262_144;
/** Programs remembered: an end is asked for again and again. */
const maxKnown = 256;

/** Compiles the expressions by which impairments drop frames. */
export class DropFilters {
  readonly #host: string;
  readonly #compile: typeof compileExpression;
  readonly #known = new Map<string, Buffer>();

  /** @param host id of this host. */
  constructor(host: string, compile: typeof compileExpression = compileExpression) {
    this.#host = host;
    this.#compile = compile;
  }

  /** @throws {ZorError} INVALID_ARGUMENT that names every field that does not compile; FAILED_PRECONDITION: nothing compiles here. */
  async check(filters: readonly DropFilterField[], signal: AbortSignal): Promise<void> {
    const violations = [];
    for (const { field, filter } of filters) {
      try {
        await this.#program(filter, signal);
      } catch (error) {
        if (!(error instanceof ZorError) || error.violations.length === 0) throw error;
        violations.push(...error.violations.map(({ description }) => ({ field, description })));
      }
    }
    if (violations.length > 0) throw invalidFields(violations);
  }

  /** The same of those that were not there before. @throws as {@link check} */
  async checkNew(
    filters: readonly DropFilterField[],
    before: readonly DropFilterField[],
    signal: AbortSignal,
  ): Promise<void> {
    const known = new Set(before.map(({ filter }) => filter));
    const added = filters.filter(({ filter }) => !known.has(filter));
    await this.check(added, signal);
  }

  /** The programs of all filters in what is asked of both directions, as the engine takes them. @throws as {@link check} */
  async programs(
    ways: Readonly<Record<string, Impairment | undefined>>,
    schedule: readonly ImpairmentStep[],
    signal: AbortSignal,
  ): Promise<DropProgram[]> {
    const texts = new Set(dropFiltersIn("spec", { ways, schedule }).map(({ filter }) => filter));
    const programs: DropProgram[] = [];
    for (const filter of texts) programs.push({ filter, program: await this.#program(filter, signal) });
    return programs;
  }

  async #program(filter: string, signal: AbortSignal): Promise<Buffer> {
    const known = this.#known.get(filter);
    if (known !== undefined) return known;
    const program = packInstructions(await this.#compile({ filter, snapBytes }, this.#host, signal));
    const [oldest] = this.#known.keys();
    if (this.#known.size >= maxKnown && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(filter, program);
    return program;
  }
}
