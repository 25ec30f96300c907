import { describe, expect, it } from "vitest";
import { codecOf } from "../../../../lib/kinds/codecs.js";
import type { KnownResource } from "../../../../lib/kinds/resource.js";
import { Operation, OperationState } from "../../../../proto/gen/zor/v1/operation.js";
import { Wave, WaveItemState } from "../../../../proto/gen/zor/v1/wave.js";
import { tuiKinds } from "../../../../tui/kinds/index.js";
import { pluralOf } from "../../../../tui/kit/kind-table.js";
import { DetailScreen } from "../../../../tui/screens/detail/detail-screen.js";
import { MapScreen } from "../../../../tui/screens/map/map-screen.js";
import { PulseScreen } from "../../../../tui/screens/pulse/pulse-screen.js";
import { TableScreen } from "../../../../tui/screens/table/table-screen.js";
import { WaveScreen } from "../../../../tui/screens/wave/wave-screen.js";
import { makeProgram, type TestProgram } from "../program.js";
import { feedFleet, upsert } from "../steps.js";

/** What takes nothing away that the same hand does not give back: all that one key may do without being asked. What is new is none of it. */
const harmless = new Set("start pause resume suspend protect unprotect adopt verify push confirm".split(" "));
/** What is typed first is no single key. */
const typed = new Set(["move", "attach", "resize"]);
/** What looks only, or opens something that is left again. */
const looks =
  /^(watch|left|log|diagnose|history|events|frames|figures|open|screen|ssh|console|capture|apiVersion|shown|took|picture)\b/;

const operation = "operations/w1";
const vm = "hosts/alpha/instances/vm0";

/** A program with something of every kind, and a wave that deletes. */
function filled(): TestProgram {
  const made = makeProgram();
  const { model } = made;
  feedFleet(model, { hosts: 2, instancesPerHost: 2, nowMs: model.nowMs });
  for (const { kind } of tuiKinds) {
    if ([...model.fleet.rowsOf(kind)].length > 0) continue;
    const plural = pluralOf(model.kinds.get(kind));
    const name = kind === "operation" || kind === "expose" ? `${plural}/x` : `hosts/alpha/${plural}/x`;
    // A codec is of its kind.
    const resource = { kind, value: codecOf(kind).fromPartial({ name }) } as KnownResource;
    model.fleet.apply(upsert(resource), model.nowMs);
  }
  const running = { name: operation, verb: "wave.instance.delete", state: OperationState.OPERATION_STATE_RUNNING };
  model.fleet.apply(upsert({ kind: "operation", value: Operation.fromPartial(running) }), model.nowMs);
  return made;
}

/** A wave that deletes, as it stands. */
function wave(change: Partial<Wave>): Wave {
  const { WAVE_ITEM_STATE_FAILED: failed, WAVE_ITEM_STATE_PENDING: pending } = WaveItemState;
  return Wave.fromPartial({
    ...{ name: operation, spec: { method: "zor.v1.InstanceService/DeleteInstance", names: [vm], maxParallel: 8 } },
    ...{
      state: OperationState.OPERATION_STATE_RUNNING,
      items: [failed, pending].map((state) => ({ name: vm, state })),
    },
    ...change,
  });
}

function onWave(change: Partial<Wave>): () => TestProgram {
  return () => {
    const made = filled();
    made.model.openOnly(new WaveScreen(made.program, operation));
    const told = wave(change);
    made.gateway.followed.get(operation)?.onNews(told, told.items);
    return made;
  };
}

const { OPERATION_STATE_FAILED: ended } = OperationState;
const places: readonly (readonly [string, () => TestProgram])[] = [
  ...tuiKinds.map(({ kind }): readonly [string, () => TestProgram] => [
    `the table of ${kind}s`,
    () => {
      const made = filled();
      made.model.openOnly(new TableScreen(made.program, kind));
      return made;
    },
  ]),
  ["details", () => opened((made) => new DetailScreen(made.program, made.model.kinds.get("instance"), vm))],
  ["the map", () => opened((made) => new MapScreen(made.program, vm))],
  ["the pulse", () => opened((made) => new PulseScreen(made.program))],
  ["a wave", onWave({})],
  ["a paused wave", onWave({ paused: true })],
  ["a wave that has ended", onWave({ state: ended })],
];

function opened(screen: (made: TestProgram) => Parameters<TestProgram["model"]["openOnly"]>[0]): TestProgram {
  const made = filled();
  made.model.openOnly(screen(made));
  return made;
}

describe("one key alone takes nothing away", () => {
  it("whatever is asked of a kind: it is harmless, typed first, or asked about", () => {
    for (const { kind, actions } of tuiKinds) {
      for (const { verb, dangerous, input } of actions) {
        const isFine = dangerous === true || harmless.has(verb) || (typed.has(verb) && input !== undefined);
        expect(isFine, `${kind} ${verb}: make it dangerous, or say here why it is harmless`).toBe(true);
      }
    }
  });

  it.each(places)("on %s", (_place, open) => {
    const chords = new Set(
      open()
        .controller.commands.filter(({ changes, dangerous }) => changes === true || dangerous === true)
        .flatMap(({ keys }) => keys),
    );
    for (const chord of chords) {
      const { gateway, press, done } = open();
      const before = gateway.calls.length;
      press(chord);
      const asked = gateway.calls.slice(before).filter((call) => !looks.test(call));
      // To go on with a wave is what the wave is.
      const taking = asked.filter((call) => !harmless.has(call.split(" ")[0] ?? "") || call === `resume ${operation}`);
      expect(taking, chord).toEqual([]);
      expect([gateway.sent, done.filter((each) => each.startsWith("zor "))], chord).toEqual([[], []]);
    }
  });
});
