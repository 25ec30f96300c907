import { Operation, OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { Wave, WaveItemState } from "../../../proto/gen/zor/v1/wave.js";
import type { SeenFrame } from "../../../tui/screens/frames/frame-source.js";
import type { TestProgram } from "../tui/program.js";
import { expect } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { upsert } from "../tui/steps.js";

/** What an instance says in the picture of a log. */
const logInPictures: readonly string[] = [
  "[    0.000000] Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)",
  "[    0.731204] virtio_net virtio0 eth0: renamed from enp0s2",
  "[    1.204311] EXT4-fs (vda1): mounted filesystem with ordered data mode. Quota mode: none.",
  "[  OK  ] Started systemd-networkd.service - Network Configuration.",
  "[  OK  ] Started frr.service - FRRouting.",
  "zebra[412]: interface eth0 index 2 <UP,BROADCAST,RUNNING,MULTICAST> added.",
  "bgpd[417]: %ADJCHANGE: neighbor 10.0.0.2(r2) in vrf default Up",
  "bgpd[417]: rcvd End-of-RIB for IPv4 Unicast from 10.0.0.2 in vrf default",
  "bgpd[417]: %NOTIFICATION: received from neighbor 10.0.0.3 4/0 (Hold Timer Expired)",
  "bgpd[417]: %ADJCHANGE: neighbor 10.0.0.3(r3) in vrf default Down BGP Notification received",
];

/** What a guest draws on its console. */
const consoleText = (name: string): readonly string[] => [
  `Debian GNU/Linux 12 ${name} ttyS0\r\n\r\n${name} login: \x1b[1mroot\x1b[0m\r\nPassword: \r\n`,
  `\x1b[1;32mroot@${name}\x1b[0m:\x1b[1;34m~\x1b[0m# ip -br address\r\n`,
  "lo               \x1b[32mUNKNOWN\x1b[0m        127.0.0.1/8\r\n",
  "eth0             \x1b[32mUP\x1b[0m             10.0.0.4/24\r\n",
  `\x1b[1;32mroot@${name}\x1b[0m:\x1b[1;34m~\x1b[0m# ping -c 2 10.0.0.1\r\n`,
  "64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.412 ms\r\n",
  "64 bytes from 10.0.0.1: icmp_seq=2 ttl=64 time=0.398 ms\r\n",
  `\x1b[1;32mroot@${name}\x1b[0m:\x1b[1;34m~\x1b[0m# `,
];

/** The consoles that are open say something; the first of two stands beside the second. */
export async function talkOnConsoles({ gateway, model, press, program }: TestProgram): Promise<void> {
  // What was not looked at was not opened.
  for (const session of program.consoles.all) session.resize({ columns: 80, rows: 24 });
  model.screen.draw(120, 28);
  for (const [index, guest] of gateway.consoles.entries()) {
    guest.open();
    for (const text of consoleText(["build1", "db1"][index] ?? "")) await guest.say(text);
  }
  press("ctrl-]", "|");
}

/** The form is filled in as soon as it is there. */
export async function fillForm({ model, press }: TestProgram): Promise<void> {
  press("n");
  await eventually(() => expect(model.screen.title()).toBe("new instance"));
  press("down", ..."web9", "down", "right", "right");
  const facts = (): string | undefined =>
    model.screen
      .draw(120, 28)
      .facts?.map(({ text }) => text)
      .join("");
  await eventually(() => expect(facts()).toBe(" ✓ it would be taken"));
}

/** A line is drawn below what the log has said so far. */
export async function markLog({ model, press, gateway }: TestProgram): Promise<void> {
  gateway.log = [...logInPictures, () => new Promise<void>(() => undefined)];
  press("l");
  await eventually(() => expect(model.screen.draw(120, 30).lines).toHaveLength(logInPictures.length));
  press("m");
}

/** Something that a wave goes on with, and something that goes wrong. */
export function tellOfWave({ gateway, model, press }: TestProgram): void {
  const name = "operations/w7";
  const { fleet, nowMs } = model;
  const operation = Operation.fromPartial({
    ...{ name, verb: "wave.StopInstance", state: OperationState.OPERATION_STATE_RUNNING },
  });
  fleet.apply(upsert({ kind: "operation", value: operation }), nowMs);
  press(":", ..."wave", "enter");
  const states = [
    WaveItemState.WAVE_ITEM_STATE_SUCCEEDED,
    WaveItemState.WAVE_ITEM_STATE_SUCCEEDED,
    WaveItemState.WAVE_ITEM_STATE_SUCCEEDED,
    WaveItemState.WAVE_ITEM_STATE_FAILED,
    WaveItemState.WAVE_ITEM_STATE_UNCONFIRMED,
    WaveItemState.WAVE_ITEM_STATE_RUNNING,
    WaveItemState.WAVE_ITEM_STATE_RUNNING,
    WaveItemState.WAVE_ITEM_STATE_PENDING,
    WaveItemState.WAVE_ITEM_STATE_PENDING,
  ];
  const names = [...fleet.rowsOf("instance")].map((row) => row.name).slice(0, states.length);
  const items = names.map((each, index) => ({
    ...{ name: each, state: states[index] ?? WaveItemState.WAVE_ITEM_STATE_PENDING, beginTime: new Date(nowMs - 9000) },
    ...(states[index] === WaveItemState.WAVE_ITEM_STATE_FAILED
      ? { error: { message: "alpha/build1 is locked by a backup; try again when that is done" } }
      : {}),
  }));
  const spec = {
    ...{ method: "zor.v1.InstanceService/StopInstance", names, maxParallel: 2, canary: 1 },
    ...{ batchSize: 4, maxFailures: 2, pauseWhenSpent: true },
  };
  const state = OperationState.OPERATION_STATE_RUNNING;
  const wave = Wave.fromPartial({ name, spec, items, caller: "zor://user/ana", released: 7, state });
  gateway.followed.get(name)?.onNews(wave, wave.items);
}

/** An upgrade of hosts in the middle: one is done, one is not well, two are worked on. */
export function tellOfRollout({ gateway, model, press, clock }: TestProgram): void {
  press(":", ..."upgrade --all --canary 1 --max-failures 1", "enter");
  const tell = (told: object): void => gateway.rollout?.told.onLine(JSON.stringify(told));
  const hosts = ["alpha", "beta", "rack2-07", "rack2-08", "rack2-09", "rack2-10"];
  tell({ begins: { hosts, canaries: 1, maxParallel: 3, maxFailures: 1 } });
  const through = { result: "upgraded to 0.1.0-3f2a", changed: true, seconds: 21, notes: [], error: "" };
  for (const host of hosts.slice(0, 4)) tell({ host, step: "connects" });
  tell({ host: "alpha", ...through });
  const error = "rolled back to 0.1.0-19c4, it runs as before, because: no session with the hub within a minute";
  tell({ host: "beta", ...through, result: "", seconds: 74, error });
  tell({ host: "rack2-07", step: "sends 14 of 31 MB" });
  tell({ host: "rack2-08", step: "waits for the new agent to answer" });
  clock.nowMs += 9_000;
  model.fleet.apply({ $case: "bookmark", value: { time: undefined } }, model.nowMs);
  model.changed();
}

/** Frames of pings, and of who asks for an address. */
export function passFrames({ gateway }: TestProgram): void {
  const watch = gateway.passing.at(-1);
  watch?.listener.onRunning(true);
  watch?.listener.onInterface("alpha/r1:eth0");
  const startUs = Date.UTC(2026, 0, 2, 3, 4, 5) * 1000;
  const frame = (at: number, hex: string): SeenFrame => {
    const data = Buffer.from(hex, "hex");
    return { at: 0, timeUs: startUs + at * 131_072, length: data.length, data, block: data };
  };
  const arp = "ffffffffffff02000000000108060001080006040001020000000001" + "0a0000010000000000000a000002";
  const ping = (sequence: number, type: string): string =>
    `020000000002020000000001${"0800"}4500001c00010000400100000a0000010a000002${type}0000000007${sequence.toString(16).padStart(4, "0")}`;
  const back = (hex: string): string => hex.replace("0a0000010a000002", "0a0000020a000001");
  watch?.listener.onFrames([
    frame(0, arp),
    ...Array.from({ length: 8 }, (_, at) => [
      frame(2 * at + 1, ping(at + 1, "08")),
      frame(2 * at + 2, back(ping(at + 1, "00"))),
    ]).flat(),
  ]);
}
