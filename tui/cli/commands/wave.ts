import { InvalidArgumentError } from "commander";
import { invalidArgument } from "../../../lib/errors.js";
import { findKind, findRule, type Kind, kindNamed, leavesEvent, ruledMethods } from "../../../lib/kinds/kinds.js";
import { quote } from "../../../lib/names.js";
import { nearest } from "../../../lib/nearest.js";
import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { type Wave, type WaveItem, WaveItemState, WaveSpec } from "../../../proto/gen/zor/v1/wave.js";
import { WaveServiceService } from "../../../proto/gen/zor/v1/wave_service.js";
import { idOf, shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import {
  dryRunOption,
  filterOption,
  noWaitOption,
  type Registrar,
  ResourceArgument,
  responseOutput,
  selectorOption,
  waitOption,
  withExamples,
  withNotes,
} from "../command.js";
import { selectedBy } from "../input/selector.js";
import { listKind } from "../kinds.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";

interface RunOptions {
  readonly kind: string;
  readonly host?: string;
  readonly filter: string;
  readonly selector?: string;
  readonly maxParallel?: number;
  readonly canary?: number;
  readonly maxFailures?: number;
  readonly wait: boolean;
  readonly dryRun?: boolean;
  readonly output: OutputFormat;
}

const service = WaveServiceService;

/** `zor wave`. */
export function define({ program, open }: Registrar): void {
  const group = program
    .command("wave")
    .description("Do one thing to many resources, so many at a time, as one operation of the hub.");

  const run = group
    .command("run")
    .description("Begin a wave and follow it. Ctrl-C cancels it: what it has begun ends by itself.")
    .argument("<verb>", "what is done to each: start, stop, shutdown, delete ...")
    .addArgument(new ResourceArgument("[names...]", "resources, or --filter", "instance"))
    .option("--kind <kind>", "what the names are of", "instance")
    .option("--host <host>", "the host of names without one")
    .addOption(filterOption("labels.lab = 'a'"))
    .addOption(selectorOption())
    .option("--max-parallel <n>", "how many at the same time, 1 to 100 (default 8)", wholeNumber)
    .option(
      "--canary <n>",
      "how many are done before the others; when one of them fails, no other is begun",
      wholeNumber,
    )
    .option("--max-failures <n>", "how many may fail before no other is begun (default 0)", wholeNumber)
    .addOption(waitOption())
    .addOption(noWaitOption("return once it has begun"))
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (verb: string, names: string[], options: RunOptions) => runWave(open(run), verb, names, options));
  withExamples(
    run,
    "zor wave run start alpha/vm1 alpha/vm2 beta/vm1 --max-parallel 2",
    "zor wave run shutdown --filter 'labels.lab = \"a\"' --canary 1 --max-failures 3",
    "zor wave run delete alpha/lan7 alpha/lan8 --kind lan",
  );

  for (const { name, does, method } of [
    { name: "show", does: "Show a wave with all its resources.", method: service.getWave },
    { name: "pause", does: "Have a wave begin no other resource until it is resumed.", method: service.pauseWave },
    { name: "resume", does: "Have a paused wave go on.", method: service.resumeWave },
  ]) {
    const command = group
      .command(name)
      .description(does)
      .addArgument(new ResourceArgument("<wave>", "the wave, by the id of its operation", "operation"))
      .addOption(responseOutput())
      .action(async (text: string, { output }: { readonly output: OutputFormat }) => {
        const session = open(command);
        const wave = await resolveName(session, kindNamed("operation"), text);
        const request = name === "show" ? { name: wave } : { name: wave, requestId: session.requestId() };
        const response = await session.call(method, request as { name: string; requestId: string });
        await session.printResponse(output, method, response, () =>
          output === "name" ? escapeText(wave) : describeWave(response.wave),
        );
      });
    withExamples(command, `zor wave ${name} 0f9d6f5e-6a0c-4c3f-9d2c-3f6f0a7d2b11`);
  }
  withNotes(
    group,
    `Waves are operations: zor get operations lists them, zor cancel ends one. They go on without zor, and after a
restart of the hub.`,
  );
}

async function runWave(session: Session, verb: string, names: readonly string[], options: RunOptions): Promise<void> {
  const kind = findKind(options.kind);
  if (kind === undefined) throw invalidArgument("--kind", `${quote(options.kind)} is no kind of resource`);
  const method = methodOf(kind, verb);
  const targets = await targetsOf(session, kind, names, options);
  const { maxParallel = 0, canary = 0, maxFailures = 0, dryRun = false, output } = options;
  const spec = WaveSpec.fromPartial({ method, names: targets, maxParallel, canary, maxFailures });
  const request = { spec, requestId: session.requestId(), validateOnly: dryRun };
  const response = await session.call(service.startWave, request);
  if (dryRun || !options.wait) {
    const name = response.operation?.name ?? "";
    const text = dryRun ? "it could be done; nothing was changed" : `wave ${idOf(name)} has begun`;
    await session.printResponse(output, service.startWave, response, () => escapeText(output === "name" ? name : text));
    return;
  }
  const name = response.operation?.name ?? "";
  try {
    await session.follow(response.operation, `${verb} ${targets.length}`);
  } finally {
    // Also of one that failed people want to know what became of each.
    const ended = await session.connect().then((connection) => connection.unary(service.getWave, { name }));
    await session.printResponse(output, service.getWave, ended, () =>
      output === "name" ? escapeText(name) : describeWave(ended.wave),
    );
  }
}

async function targetsOf(
  session: Session,
  kind: Kind,
  names: readonly string[],
  { host, ...options }: RunOptions,
): Promise<string[]> {
  const filter = selectedBy(options.selector, options.filter);
  if (names.length > 0 === (filter !== ""))
    throw invalidArgument("names", "name resources, or give --filter or --selector");
  if (names.length > 0) return Promise.all(names.map((text) => resolveName(session, kind, text, host)));
  const listing = await listKind(
    await session.connect(),
    kind,
    { filter, ...(host === undefined ? {} : { host }) },
    session.readOptions(),
  );
  if (listing.resources.length === 0) throw invalidArgument("--filter", `no ${kind.plural} match it`);
  return listing.resources.map(({ value }) => value.name);
}

/** "zor.v1.InstanceService/StartInstance". @throws {ZorError} INVALID_ARGUMENT with what there is. */
function methodOf(kind: Kind, verb: string): string {
  const type = kind.type.split(".").at(-1) ?? "";
  const verbs = new Map<string, string>();
  for (const path of ruledMethods()) {
    const rule = findRule(path);
    const name = path.slice(path.lastIndexOf("/") + 1);
    const isOne = rule?.kind === kind.singular && name.endsWith(type) && leavesEvent(rule);
    if (!isOne || !["custom", "delete"].includes(rule.verb)) continue;
    verbs.set(name.slice(0, name.length - type.length).toLowerCase(), path.slice(1));
  }
  const method = verbs.get(verb);
  if (method !== undefined) return method;
  const near = nearest(verb, [...verbs.keys()]);
  const hint = near === undefined ? `there are ${[...verbs.keys()].join(", ")}` : `did you mean ${near}?`;
  throw invalidArgument("verb", `${quote(verb)} is nothing that is done to ${kind.plural}; ${hint}`);
}

const words: ReadonlyMap<WaveItemState, string> = new Map([
  [WaveItemState.WAVE_ITEM_STATE_PENDING, "waits"],
  [WaveItemState.WAVE_ITEM_STATE_RUNNING, "under way"],
  [WaveItemState.WAVE_ITEM_STATE_SUCCEEDED, "done"],
  [WaveItemState.WAVE_ITEM_STATE_FAILED, "failed"],
  [WaveItemState.WAVE_ITEM_STATE_SKIPPED, "not begun"],
]);

function describeWave(wave: Wave | undefined): string {
  if (wave === undefined) return "";
  const isPaused = wave.paused && wave.state === OperationState.OPERATION_STATE_RUNNING;
  return [...(isPaused ? ["paused"] : []), ...wave.items.map(itemText)].join("\n");
}

function itemText({ name, state, error }: WaveItem): string {
  const why = error === undefined ? "" : `: ${error.message}`;
  return escapeText(`${(words.get(state) ?? "unknown").padEnd(9)}  ${shortName(name)}${why}`);
}

function wholeNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}
