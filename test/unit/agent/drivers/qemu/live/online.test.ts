import { expect, test, vi } from "vitest";
import { bringCpusOnline } from "../../../../../../agent/drivers/qemu/live/online.js";
import { failedPrecondition } from "../../../../../../lib/errors.js";

/** A guest that sees its CPUs only after it has been asked so often. */
function guest(seenAfter: number, failures: readonly Error[] = []) {
  const left = [...failures];
  const asked: string[] = [];
  const execute = async (command: string): Promise<unknown> => {
    asked.push(command);
    const failure = left.shift();
    if (failure !== undefined) throw failure;
    const cpus = asked.length > seenAfter ? 2 : 1;
    return Array.from({ length: cpus }, (_, id) => ({ "logical-id": id, online: true }));
  };
  return { asked, machine: { execReady: true, guestAgent: async () => ({ execute }) } };
}

const { signal } = new AbortController();
const times = { seenMs: 0, lateMs: 60_000, pollMs: 1 };

test("a guest that sees its CPUs late has them, and nobody has waited for it", async () => {
  const { asked, machine } = guest(5, [new Error("no answer in time")]);
  const onUnseen = vi.fn();
  await bringCpusOnline(machine, 2, { signal, onUnseen, times });
  expect(asked.length).toBeLessThan(5);
  await vi.waitFor(() => expect(asked.length).toBe(6));
  expect(onUnseen).not.toHaveBeenCalled();
});

test("of a guest that never sees them it is told", async () => {
  const { machine } = guest(Number.POSITIVE_INFINITY);
  const onUnseen = vi.fn();
  await bringCpusOnline(machine, 2, { signal, onUnseen, times: { ...times, lateMs: 0 } });
  await vi.waitFor(() => expect(onUnseen).toHaveBeenCalledWith(expect.stringContaining("all of its CPUs")));
});

test("a guest that may not be asked brings them online itself, or not", async () => {
  const { asked, machine } = guest(0, [failedPrecondition("GUEST_AGENT_REFUSED", "hosts/h1/instances/m", "no")]);
  const onUnseen = vi.fn();
  await bringCpusOnline(machine, 2, { signal, onUnseen, times });
  expect(asked).toHaveLength(1);
  expect(onUnseen).not.toHaveBeenCalled();
});
