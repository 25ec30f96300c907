import type { PathName } from "./path.js";
import type { BenchResults, PathRound } from "./results.js";
import { median } from "./statistics.js";

/** One figure that is to reach a bar. */
export interface Bar {
  /** Undefined: not measured. */
  readonly value: number | undefined;
  readonly bound: "at least" | "at most";
  readonly limit: number;
}

/** What a tap without lan is to reach of kernel vxlan: on processors that copy fast the kernel's path gains more than ours, see docs/benchmarks.md. */
const tapLimits = { intel: { plain: 0.55, tls: 0.4 }, other: { plain: 0.9, tls: 0.45 } } as const;

/** The bars, by name. Ratios are medians of the ratios of each round, whose parts were measured shortly after one another. */
export function computeBars(results: BenchResults): Readonly<Record<string, Bar>> {
  const ratio = (of: PathName, to: PathName, figure: Figure) => medianRatio(results, of, to, figure);
  const tap = /intel/i.test(results.machine.model) ? tapLimits.intel : tapLimits.other;
  const hundred = results.idle.find(({ cables }) => cables === 100);
  return {
    tap_plain_vs_kernel_vxlan: atLeast(tap.plain, ratio("tap-plain", "tap-vxlan", tcp1)),
    tap_tls_vs_kernel_vxlan: atLeast(tap.tls, ratio("tap-tls", "tap-vxlan", tcp1)),
    e2e_plain_vs_kernel_vxlan: atLeast(0.6, ratio("e2e-plain", "e2e-vxlan", tcp1)),
    e2e_tls_vs_kernel_vxlan: atLeast(0.35, ratio("e2e-tls", "e2e-vxlan", tcp1)),
    e2e_tls_vs_ovs_vxlan: atLeast(3, ratio("e2e-tls", "e2e-ovs", tcp1)),
    wire_plain_vs_tap_plain: atLeast(0.95, ratio("wire-plain", "tap-plain", tcp1)),
    wire_tls_vs_tap_tls: atLeast(0.95, ratio("wire-tls", "tap-tls", tcp1)),
    wire_plain_vs_e2e_plain: atLeast(1.5, ratio("wire-plain", "e2e-plain", tcp1)),
    wire_tls_vs_wireguard: atLeast(10, ratio("wire-tls", "tap-wireguard", tcp1)),
    lan_vs_hand_made: atLeast(0.95, ratio("host-lan", "host-hand", tcp1)),
    pps64_plain_vs_qemu_stream: atLeast(
      3,
      ratio("tap-plain", "tap-qemu", (round) => round.framesPerSecond),
    ),
    rtt_added_ms: atMost(
      0.15,
      worst(["tap-plain", "tap-tls"], (name) => rttAdded(results, name)),
    ),
    rtt_p99_loaded_ms: atMost(
      20,
      worst(["tap-plain", "tap-tls"], (name) => medianOf(results, name, rttP99Loaded)),
    ),
    idle100_core_fraction: atMost(0.02, hundred?.coreFraction),
    idle_mib_per_cable: atMost(4, hundred === undefined ? undefined : hundred.engineMib / hundred.cables),
  };
}

/** Reads one figure of a round. */
export type Figure = (round: PathRound) => number | undefined;

/** One TCP stream, mean of both directions, in Gbit/s. */
export const tcp1: Figure = ({ tcp1Forward, tcp1Reverse }) =>
  tcp1Forward === undefined || tcp1Reverse === undefined ? undefined : (tcp1Forward.gbps + tcp1Reverse.gbps) / 2;

/** RTT p99 beside one TCP stream, the worse direction. */
export const rttP99Loaded: Figure = ({ tcp1Forward, tcp1Reverse }) => {
  const values = [tcp1Forward?.rttP99Ms, tcp1Reverse?.rttP99Ms].filter((value) => value !== undefined);
  return values.length === 0 ? undefined : Math.max(...values);
};

/** Median over the rounds that have the figure. */
export function medianOf(results: BenchResults, name: PathName, figure: Figure): number | undefined {
  return median((results.rounds.get(name) ?? []).map(figure).filter((value) => value !== undefined));
}

function medianRatio(results: BenchResults, of: PathName, to: PathName, figure: Figure): number | undefined {
  return median(pairs(results, of, to, figure).map(([value, base]) => value / base));
}

function rttAdded(results: BenchResults, name: PathName): number | undefined {
  return median(pairs(results, name, "underlay", ({ rttMs }) => rttMs).map(([value, base]) => value - base));
}

/** The figure on two paths in the same rounds. */
function pairs(results: BenchResults, of: PathName, to: PathName, figure: Figure): (readonly [number, number])[] {
  const bases = results.rounds.get(to) ?? [];
  return (results.rounds.get(of) ?? []).flatMap((round, index) => {
    const base = bases[index];
    const [value, other] = [figure(round), base === undefined ? undefined : figure(base)];
    return value === undefined || other === undefined ? [] : [[value, other] as const];
  });
}

/** The largest of what was measured. */
function worst(names: readonly PathName[], of: (name: PathName) => number | undefined): number | undefined {
  const values = names.map(of).filter((value) => value !== undefined);
  return values.length === 0 ? undefined : Math.max(...values);
}

function atLeast(limit: number, value: number | undefined): Bar {
  return { value, bound: "at least", limit };
}

function atMost(limit: number, value: number | undefined): Bar {
  return { value, bound: "at most", limit };
}
