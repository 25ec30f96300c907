import type { Command } from "commander";
import { invalidArgument } from "../../../lib/errors.js";
import { codecOf } from "../../../lib/kinds/codecs.js";
import { findKind, findRule, type Kind, kindNamed, leavesEvent, ruledMethods } from "../../../lib/kinds/kinds.js";
import type { AnyResource } from "../../../lib/kinds/resource.js";
import { quote } from "../../../lib/names.js";
import { nearest } from "../../../lib/nearest.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import type { Wave } from "../../../proto/gen/zor/v1/wave.js";
import { WaveServiceService as service } from "../../../proto/gen/zor/v1/wave_service.js";
import { waveAgain, waveVerb } from "../../kinds/operation/wave-spec.js";
import { idOf } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { areChosen, asChosen, type ChosenOptions, chosenOf } from "../chosen.js";
import {
  dryRunOption,
  LanguageOption,
  noWaitOption,
  type Registrar,
  ResourceArgument,
  responseOutput,
  waitOption,
  withExamples,
  withNotes,
  yesOption,
} from "../command.js";
import { listKind } from "../kinds.js";
import { defineNounList } from "../noun-list.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";
import { followWave } from "../wave/follow-wave.js";
import { printChanges } from "../wave/print-changes.js";
import { type BeginOptions, beginWave, confirmWave } from "../wave/run-wave.js";
import { asWave, type SpecOptions, specOf } from "../wave/spec-options.js";
import { describeWave } from "../wave/wave-text.js";

interface RunOptions extends SpecOptions, ChosenOptions {
  readonly kind: string;
  readonly wait: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly output: OutputFormat;
}

/** `zor wave`. */
export function define({ program, open }: Registrar): void {
  const group = program
    .command("wave")
    .description("Do one thing to many resources, so many at a time, as one operation of the hub.")
    .helpCommand(false);
  defineNounList(group, open, kindNamed("operation"), {
    plural: "waves",
    only: "verb ~ '^wave[.]'",
    example: "done = false",
  });
  defineRun(group, open);
  defineAgain(group, open);
  defineWait(group, open);
  for (const { name, does, method } of [
    { name: "show", does: "Show a wave with how each of what it is done to does.", method: service.getWave },
    { name: "pause", does: "Have a wave begin no other until it is resumed.", method: service.pauseWave },
    { name: "resume", does: "Have a paused wave go on.", method: service.resumeWave },
  ]) {
    const command = group
      .command(name)
      .description(does)
      .addArgument(waveArgument())
      .addOption(responseOutput())
      .action(async (text: string, { output, watch }: { readonly output: OutputFormat; readonly watch?: boolean }) => {
        const session = open(command);
        const wave = await resolveName(session, kindNamed("operation"), text);
        if (watch === true) {
          await printChanges(session, wave, output);
          return;
        }
        const request = name === "show" ? { name: wave } : { name: wave, requestId: session.requestId() };
        const response = await session.call(method, request as { name: string; requestId: string });
        await session.printResponse(output, method, response, () => textOf(output, wave, response.wave));
      });
    if (name === "show")
      command.alias("describe").option("-w, --watch", "stay until its end, and tell of each resource");
    withExamples(
      command,
      `zor wave ${name} ${exampleId}`,
      ...(name === "show" ? [`zor wave show -w ${exampleId}`] : []),
    );
  }
  defineCancel(group, open);
  withNotes(group, `Waves are operations, and go on without zor, and after a restart or a crash of the hub.`);
}

const exampleId = "0f9d6f5e-6a0c-4c3f-9d2c-3f6f0a7d2b11";

function waveArgument(): ResourceArgument {
  return new ResourceArgument("<wave>", "the wave, by the id of its operation", "operation");
}

function textOf(output: OutputFormat, name: string, wave: Wave | undefined): string {
  if (output === "name") return escapeText(name);
  return wave === undefined ? "" : describeWave(wave).join("\n");
}

function defineRun(group: Command, open: Registrar["open"]): void {
  const run = group
    .command("run")
    .description("Begin a wave and follow it. Ctrl-C cancels it: what it has begun ends by itself.")
    .argument("<verb>", "what is done to each: start, stop, shutdown, delete ...")
    .addArgument(new ResourceArgument("[names...]", "resources, or --filter, --selector or --all", "instance"))
    .addOption(new LanguageOption("--kind <kind>", "what the names are of", "kind").default("instance"))
    .option("--with <json>", "what else the request says, such as '{\"force\": true}'");
  asWave(asChosen(run))
    .addOption(yesOption())
    .addOption(waitOption())
    .addOption(noWaitOption("return once it has begun"))
    .addOption(dryRunOption("only show what would be done and check the request"))
    .addOption(responseOutput())
    .action(async (verb: string, names: string[], options: RunOptions) => runWave(open(run), verb, names, options));
  withExamples(
    run,
    "zor wave run start alpha/vm1 alpha/vm2 beta/vm1 --max-parallel 2",
    "zor wave run shutdown --filter 'labels.lab = \"a\"' --canary 1 --max-failures 3",
    "zor wave run stop --all --host alpha --batch 10 --batch-pause 30s --max-failures 10%",
    "zor wave run delete alpha/lan7 alpha/lan8 --kind lan --yes",
  );
}

async function runWave(session: Session, verb: string, names: readonly string[], options: RunOptions): Promise<void> {
  const kind = findKind(options.kind);
  if (kind === undefined) throw invalidArgument("--kind", `${quote(options.kind)} is no kind of resource`);
  const method = methodOf(kind, verb);
  const areNamed = !areChosen(names, options);
  const resources = await (areNamed ? namedOf(session, kind, names, options.host) : chosenOf(session, kind, options));
  if (resources.length === 0) return;
  const targets = await confirmWave(session, { kind, verb, resources, areNamed }, options);
  if (targets.length > 0) await beginWave(session, specOf(method, targets, options), options);
}

function defineAgain(group: Command, open: Registrar["open"]): void {
  const again = group
    .command("again")
    .description("Begin another wave for what one has left: what failed, is unconfirmed, or was not begun.")
    .addArgument(waveArgument())
    .addOption(yesOption())
    .addOption(waitOption())
    .addOption(noWaitOption("return once it has begun"))
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (text: string, options: BeginOptions & { readonly yes?: boolean }) => {
      const session = open(again);
      const name = await resolveName(session, kindNamed("operation"), text);
      const { wave } = await session.call(service.getWave, { name });
      const spec = wave === undefined ? undefined : waveAgain(wave);
      if (spec === undefined) {
        session.note("it has left nothing");
        return;
      }
      const kind = kindNamed(findRule(`/${spec.method}`)?.kind ?? "operation");
      const wanted = {
        kind,
        verb: waveVerb(spec),
        resources: await knownOf(session, kind, spec.names),
        areNamed: true,
      };
      const names = await confirmWave(session, wanted, options);
      if (names.length > 0) await beginWave(session, spec, options);
    });
  withExamples(again, `zor wave again ${exampleId}`);
}

function defineWait(group: Command, open: Registrar["open"]): void {
  const wait = group
    .command("wait")
    .description("Follow a wave to its end. Ctrl-C leaves it as it is.")
    .addArgument(waveArgument())
    .addOption(responseOutput())
    .action(async (text: string, { output }: { readonly output: OutputFormat }) => {
      const session = open(wait);
      const name = await resolveName(session, kindNamed("operation"), text);
      try {
        await followWave(session, name);
      } finally {
        const ended = await session.call(service.getWave, { name });
        await session.printResponse(output, service.getWave, ended, () => textOf(output, name, ended.wave));
      }
    });
  withExamples(wait, `zor wave wait ${exampleId}`);
}

function defineCancel(group: Command, open: Registrar["open"]): void {
  const cancel = group
    .command("cancel")
    .description("Have a wave begin no other, and end; what it has begun ends by itself.")
    .addArgument(waveArgument())
    .addOption(responseOutput())
    .action(async (text: string, { output }: { readonly output: OutputFormat }) => {
      const session = open(cancel);
      const name = await resolveName(session, kindNamed("operation"), text);
      const method = OperationServiceService.cancelOperation;
      const response = await session.call(method, { name, requestId: session.requestId() });
      await session.printResponse(output, method, response, () =>
        escapeText(output === "name" ? name : `wave ${idOf(name)} begins no other`),
      );
    });
  withExamples(cancel, `zor wave cancel ${exampleId}`);
}

/** The resources of these names; of one that the server does not know the name alone: it is refused by it. */
async function namedOf(
  session: Session,
  kind: Kind,
  texts: readonly string[],
  host: string | undefined,
): Promise<readonly AnyResource[]> {
  return await knownOf(session, kind, await Promise.all(texts.map((text) => resolveName(session, kind, text, host))));
}

/** The resources of these full names, likewise. */
async function knownOf(session: Session, kind: Kind, names: readonly string[]): Promise<readonly AnyResource[]> {
  const { resources } = await listKind(await session.connect(), kind, {}, session.readOptions());
  const known = new Map(resources.map((resource) => [resource.value.name, resource]));
  return names.map(
    (name) => known.get(name) ?? { kind: kind.singular, value: codecOf(kind.singular).fromPartial({ name }) },
  );
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
