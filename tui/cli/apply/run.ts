import { status } from "@grpc/grpc-js";
import { messageOf, ZorError } from "../../../lib/errors.js";
import { requestOf, responseField } from "../../../lib/kinds/verbs.js";
import { listed } from "../../../lib/words.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { shortName } from "../../kit/resource-name.js";
import { asMethod, updateResource } from "../change.js";
import { standardMethod } from "../kinds.js";
import { parseNewName } from "../resolve.js";
import type { Session } from "../session.js";
import type { Manifest } from "./manifest.js";
import { ordered, type References } from "./order.js";
import { planStep, type Step } from "./plan.js";

/** What became of a resource. */
export interface Applied {
  readonly manifest: Manifest;
  readonly outcome: "created" | "changed" | "unchanged" | "failed" | "skipped";
  /** Fields that were changed. */
  readonly paths: readonly string[];
  /** What is to be said besides; of what failed, why. */
  readonly note: string;
  readonly error?: unknown;
}

/** How resources are applied. */
export interface ApplyOptions {
  /** Everything is only checked, by the hub and its agents. */
  readonly dryRun: boolean;
  /** What takes its time is waited for. */
  readonly wait: boolean;
}

/** Makes resources what files say, one after the other, each after those that it refers to; what refers to one that failed is not tried. */
export async function applyAll(
  session: Session,
  manifests: readonly Manifest[],
  references: References,
  options: ApplyOptions,
): Promise<readonly Applied[]> {
  const done = new Map<Manifest, Applied>();
  for (const manifest of ordered(manifests, references)) {
    session.io.signal.throwIfAborted();
    const needed = (references.get(manifest) ?? []).flatMap((other) => done.get(other) ?? []);
    const part = done.size;
    done.set(manifest, await applyOne(session, manifest, { ...options, needed, part }));
  }
  return [...done.values()];
}

interface OneOptions extends ApplyOptions {
  readonly needed: readonly Applied[];
  readonly part: number;
}

async function applyOne(session: Session, manifest: Manifest, options: OneOptions): Promise<Applied> {
  const lost = options.needed.filter(({ outcome }) => outcome === "failed" || outcome === "skipped");
  const nothing = { manifest, paths: [], note: "" };
  if (lost.length > 0) {
    const names = listed(
      lost.map((each) => shortName(each.manifest.name)),
      3,
    );
    return { ...nothing, outcome: "skipped", note: `not tried: it refers to ${names}` };
  }
  try {
    const step = await planStep(session, manifest);
    if (step.outcome === "unchanged") return { ...nothing, outcome: "unchanged" };
    const paths = step.outcome === "changed" ? step.paths : [];
    return { ...nothing, outcome: step.outcome, paths, note: await take(session, manifest, step, options) };
  } catch (error) {
    session.io.signal.throwIfAborted();
    return { ...nothing, outcome: "failed", note: messageOf(error), error };
  }
}

/** Resolves to what is to be said besides. */
async function take(
  session: Session,
  { kind, name }: Manifest,
  step: Exclude<Step, { readonly outcome: "unchanged" }>,
  { dryRun, wait, needed, part }: OneOptions,
): Promise<string> {
  if (step.outcome === "changed") {
    const change = { resource: step.wanted, paths: step.paths };
    await updateResource(session, kind, { name, change, etag: step.etag, dryRun, part });
    return "";
  }
  const { method, rule } = standardMethod(kind, "create");
  const { parent, id } = parseNewName(name, kind);
  const request = requestOf(method, {
    ...(rule.route === "parent" ? { parent } : {}),
    [rule.id ?? `${kind.singular}Id`]: id,
    [rule.request ?? kind.singular]: step.wanted,
    requestId: session.requestId(part),
    validateOnly: dryRun,
  });
  const takesTime = rule.response === "operation";
  try {
    const answer = await session.call(asMethod({ method }), request, takesTime ? undefined : 30_000);
    // Where the rule says so, the field holds one.
    const operation = takesTime ? (responseField(answer, "operation") as Operation | undefined) : undefined;
    if (operation === undefined || dryRun) return "";
    if (!wait) return "it has been taken on";
    await session.follow(operation, `creating ${shortName(name)}`);
    return "";
  } catch (error) {
    const waits = needed.filter(({ outcome }) => outcome === "created");
    const isMissing =
      error instanceof ZorError &&
      [status.NOT_FOUND, status.FAILED_PRECONDITION, status.INVALID_ARGUMENT].includes(error.code);
    if (!dryRun || !isMissing || waits.length === 0) throw error;
    return `not checked: ${listed(
      waits.map(({ manifest }) => shortName(manifest.name)),
      3,
    )} would be created first`;
  }
}
