import { failedPrecondition, messageOf } from "../../../lib/errors.js";
import { type Kind, kindNamed, livesOnHosts } from "../../../lib/kinds/kinds.js";
import { requestOf, responseField } from "../../../lib/kinds/verbs.js";
import { counted, listed } from "../../../lib/words.js";
import { DeleteHostRequest, HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import type { Link } from "../../../proto/gen/zor/v1/link.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { RevokeIdentityRequest, TokenServiceService } from "../../../proto/gen/zor/v1/token_service.js";
import { runOperation } from "../../client/operation.js";
import { asMethod } from "../change.js";
import { kindsWith, listKind, standardMethod } from "../kinds.js";
import type { Session } from "../session.js";
import { lastWords, readFacts, startUnit } from "./bring.js";
import { findHost, tokenFor, waitUntilReady } from "./fleet-side.js";
import type { InstallOptions } from "./install-host.js";
import { Remote } from "./remote.js";
import type { JobResult } from "./run-hosts.js";
import type { Step } from "./step.js";
import type { HostWish } from "./wishes.js";

/** What becomes of what a host has. */
export interface LeaveOptions extends InstallOptions {
  /** Instances, their disks, lans and all else on it are deleted. */
  readonly deleteGuests: boolean;
  /** State and settings are removed as well. */
  readonly purge: boolean;
}

const deleteTimeoutMs = 120_000;
/** Links, then what is plugged into lans, then lans: each round deletes what the one before has set free. */
const mostRounds = 6;

/** Takes a host out of the fleet and removes what was installed on it. What it has besides is left as it is. */
export async function uninstallHost(wish: HostWish, options: LeaveOptions, step: Step): Promise<JobResult> {
  const { session, dryRun } = options;
  const name = `hosts/${wish.id}`;
  using remote = await Remote.open(wish.ssh, options.remote);
  step("looks");
  const facts = await readFacts(remote, options);
  const known = await findHost(session, name);
  if (facts.current === "" && facts.versions.length === 0 && known === undefined) {
    return { text: "nothing to do: it is neither installed nor registered", changed: false, notes: [] };
  }
  const here = known === undefined ? [] : await resourcesOf(session, wish.id);
  const instances = here.filter(({ kind }) => kind.singular === "instance").length;
  if (here.length > 0 && !options.deleteGuests) {
    throw failedPrecondition(
      "HOST_IN_USE",
      name,
      `${name} has ${counted(instances, "instance")} and ${counted(here.length - instances, "other resource")}: delete them first, or with --delete-guests, disks included`,
    );
  }
  if (dryRun)
    return { text: `would delete ${counted(here.length, "resource")} and remove Zorhub`, changed: false, notes: [] };
  using _lock = await remote.lock();
  if (here.length > 0) await deleteAllOf(session, wish.id, step);
  step("ends what runs");
  await remote.must("ending the agent", endScript);
  step("removes the programs");
  if (facts.current !== "")
    await remote.must("removing the programs", "sh /opt/zorhub/current/deploy/package/install-version.sh uninstall");
  await remote.must(
    "removing files",
    `rm -rf /var/cache/zorhub${options.purge ? " /var/lib/zor/agent /etc/zor/agent.yaml" : ""}; rmdir /etc/zor /var/lib/zor 2>/dev/null || true`,
  );
  if (known !== undefined) {
    step("leaves the fleet");
    await session.call(
      HostServiceService.deleteHost,
      DeleteHostRequest.fromPartial({ name, force: true, requestId: session.requestId() }),
    );
  }
  const stays = facts.hasHub ? ["the programs stay: a hub runs there"] : [];
  const notes = options.purge
    ? stays
    : [
        ...stays,
        "/var/lib/zor/agent, with images and volumes, and /etc/zor/agent.yaml stay; --purge removes them as well",
      ];
  return { text: "removed", changed: true, notes };
}

/** Gives a host a new identity: the one before was copied, lost or has expired. What it runs goes on. */
export async function rejoinHost(wish: HostWish, options: InstallOptions, step: Step): Promise<JobResult> {
  const { session, unit, dryRun } = options;
  const name = `hosts/${wish.id}`;
  using remote = await Remote.open(wish.ssh, options.remote);
  step("looks");
  const facts = await readFacts(remote, options);
  const known = await findHost(session, name);
  if (facts.current === "" || known === undefined)
    throw failedPrecondition(
      "NOT_INSTALLED",
      name,
      `${name} is ${known === undefined ? "not registered" : "not installed there"}; use: zor host install`,
    );
  if (dryRun) return { text: "would give it a new identity", changed: false, notes: [] };
  using _lock = await remote.lock();
  step("revokes its identity");
  await remote.must("stopping the agent", "systemctl stop zor-agent");
  const identity = `zor://host/${wish.id}`;
  await session.call(
    TokenServiceService.revokeIdentity,
    RevokeIdentityRequest.fromPartial({ identity, requestId: session.requestId() }),
  );
  step("joins");
  const token = await tokenFor(session, wish, known);
  await remote.must("joining", "/opt/zorhub/current/zor agent join - --config /etc/zor/agent.yaml", {
    stdin: [Buffer.from(`${token}\n`)],
  });
  step("starts");
  const pid = await startUnit(remote, unit);
  step("waits for the hub to reach it");
  await waitUntilReady(session, name, pid).catch(async (error: unknown) => {
    throw failedPrecondition(
      "HOST_NOT_READY",
      name,
      `${messageOf(error)}; the agent says: ${await lastWords(remote, unit)}`,
    );
  });
  return { text: "has a new identity; the one before is revoked", changed: true, notes: [] };
}

interface OnHost {
  readonly kind: Kind;
  readonly name: string;
}

/** What lies on its disks and does nothing: it stays with the state, or goes with it. Snapshots go with their instances. */
const stored = new Set(["image", "pool", "volume", "snapshot", "backup"]);

/** All that a host has of its own, links that end on it included. */
async function resourcesOf(session: Session, id: string): Promise<readonly OnHost[]> {
  const connection = await session.connect();
  const both = new Set(kindsWith("list").map(({ singular }) => singular));
  const kinds = kindsWith("delete").filter(
    (kind) => livesOnHosts(kind) && both.has(kind.singular) && !stored.has(kind.singular),
  );
  const lists = await Promise.all(
    kinds.map(async (kind) => {
      const { resources } = await listKind(connection, kind, { host: id }, session.readOptions());
      return resources.flatMap(({ value }) =>
        value.name.startsWith(`hosts/${id}/`) ? [{ kind, name: value.name }] : [],
      );
    }),
  );
  const links = await listKind(connection, kindNamed("link"), {}, session.readOptions());
  const ending = links.resources.flatMap(({ value }) => {
    // What is listed is of the kind that was asked for.
    const { name, spec } = value as Link;
    const ends = [spec?.a ?? "", spec?.b ?? ""];
    return ends.some((end) => end.startsWith(`hosts/${id}/`)) ? [{ kind: kindNamed("link"), name }] : [];
  });
  return [...ending, ...lists.flat()];
}

async function deleteAllOf(session: Session, id: string, step: Step): Promise<void> {
  let problems: readonly string[] = [];
  for (let round = 0; round < mostRounds; round += 1) {
    const left = await resourcesOf(session, id);
    if (left.length === 0) return;
    step(`deletes ${counted(left.length, "resource")}`);
    const results = await Promise.allSettled(left.map((each) => deleteOne(session, each)));
    problems = results.flatMap((result) => (result.status === "rejected" ? [messageOf(result.reason)] : []));
  }
  throw failedPrecondition(
    "HOST_IN_USE",
    `hosts/${id}`,
    `not all that is on hosts/${id} could be deleted: ${listed(problems, 3)}`,
  );
}

async function deleteOne(session: Session, { kind, name }: OnHost): Promise<void> {
  const { method, rule } = standardMethod(kind, "delete");
  const request = requestOf(method, { [rule.route]: name, requestId: crypto.randomUUID(), force: true });
  const answer = Object(await session.call(asMethod({ method }), request, deleteTimeoutMs));
  // Where the response has such a field, it holds an operation.
  const operation = responseField(answer, "operation") as Operation | undefined;
  if (operation === undefined) return;
  await runOperation(await session.connect(), operation, { signal: session.io.signal });
}

/** Ends the agent and what it has started and left running: programs for its state, and all in its net namespaces. Nothing of a hub. */
const endScript = `
state=/var/lib/zor/agent
systemctl --quiet disable zor-agent zor-guests 2>/dev/null
systemctl stop zor-guests zor-agent 2>/dev/null
uid=$(cat $state/host-uid 2>/dev/null)
namespaces() {
  [ -n "$uid" ] || return 0
  for t in /run/zor-netns/*; do ! grep -qsF "zor-agent=$uid " "$t" || basename "$t"; done
}
pids() {
  printf '%s/\n' "$state" | grep -lsaF -f - /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3
  for n in $(namespaces); do ip netns pids "$n" 2>/dev/null; done
}
ours() { pids | sort -un | grep -vx -e $$ -e $PPID; }
for s in TERM TERM KILL; do
  p=$(ours)
  [ -n "$p" ] || break
  kill -$s $p 2>/dev/null
  for i in 1 2 3 4 5 6 7 8 9 10; do [ -n "$(ours)" ] || break; sleep 0.3; done
done
for n in $(namespaces); do ip netns del "$n" 2>/dev/null; rm -f "/run/zor-netns/$n"; done
[ -z "$(ours)" ] || { echo "zor: processes do not end: $(ours | tr '\n' ' ')" >&2; exit 1; }
`;
