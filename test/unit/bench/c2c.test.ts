import { expect, test } from "vitest";
import { computeBars } from "../../bench/c2c/bars.js";
import { parsePlan } from "../../bench/c2c/plan.js";
import { formatTable, toJson } from "../../bench/c2c/report.js";
import type { BenchResults, PathRound } from "../../bench/c2c/results.js";
import { median, quantile } from "../../bench/c2c/statistics.js";

function tcp(gbps: number, rttP99Ms: number) {
  return { gbps, rttP99Ms, cpuSecondsPerGigabyte: 1, retransmits: 0 };
}

function round(gbps: number, more: Partial<PathRound> = {}): PathRound {
  return { tcp1Forward: tcp(gbps, 1), tcp1Reverse: tcp(gbps, 2), ...more };
}

function results(parts: Partial<BenchResults>): BenchResults {
  const machine = { cores: 2, model: "cpu", kernel: "6", date: "2026-01-01", busyBefore: 0, congestion: "reno" };
  return { machine, rounds: new Map(), missing: [], idle: [], ...parts };
}

test.each([
  [[1, 3, 2], 2],
  [[4, 1, 2, 3], 2.5],
  [[], undefined],
])("the median of %j is %s", (samples, expected) => {
  expect(median(samples)).toBe(expected);
});

test.each([
  [0.99, 99],
  [0.5, 50],
  [1, 100],
  [0, 1],
])("the quantile %d of 1 to 100 is %d", (share, expected) => {
  const samples = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(quantile(samples, share)).toBe(expected);
});

test("a ratio is the median of the ratios within rounds, so that a slow round changes nothing", () => {
  const bars = computeBars(
    results({
      rounds: new Map([
        ["tap-vxlan", [round(10), round(1), round(10)]],
        ["tap-tls", [round(5), round(0.5), round(6)]],
      ]),
    }),
  );
  expect(bars["tap_tls_vs_kernel_vxlan"]).toEqual({ value: 0.5, bound: "at least", limit: 0.45 });
  expect(bars["tap_plain_vs_kernel_vxlan"]?.value).toBeUndefined();
});

test.each([
  ["AMD EPYC", 0.9, 0.45],
  ["Intel(R) Xeon(R) Processor", 0.55, 0.4],
])("on %s a tap is to reach %d of kernel vxlan in clear and %d with TLS", (model, plain, tls) => {
  const bars = computeBars(results({ machine: { ...results({}).machine, model } }));
  expect(bars["tap_plain_vs_kernel_vxlan"]?.limit).toBe(plain);
  expect(bars["tap_tls_vs_kernel_vxlan"]?.limit).toBe(tls);
});

test("latencies are judged by the worse of plain and TLS", () => {
  const bars = computeBars(
    results({
      rounds: new Map([
        ["underlay", [round(10, { rttMs: 0.02 })]],
        ["tap-plain", [round(10, { rttMs: 0.12 })]],
        ["tap-tls", [{ ...round(5, { rttMs: 0.05 }), tcp1Reverse: tcp(5, 30) }]],
      ]),
    }),
  );
  expect(bars["rtt_added_ms"]?.value).toBeCloseTo(0.1);
  expect(bars["rtt_p99_loaded_ms"]?.value).toBe(30);
});

test("memory of idle cables is all of the engine's, divided by a hundred cables", () => {
  const bars = computeBars(results({ idle: [{ cables: 100, engineMib: 170, coreFraction: 0.01 }] }));
  expect(bars["idle_mib_per_cable"]?.value).toBe(1.7);
  expect(bars["idle100_core_fraction"]?.value).toBe(0.01);
});

test("the JSON holds every bar by name, null when it was not measured", () => {
  expect(toJson(results({}))).toMatchObject({
    bars: {
      tap_plain_vs_kernel_vxlan: null,
      tap_tls_vs_kernel_vxlan: null,
      e2e_plain_vs_kernel_vxlan: null,
      e2e_tls_vs_kernel_vxlan: null,
      e2e_tls_vs_ovs_vxlan: null,
      pps64_plain_vs_qemu_stream: null,
      rtt_added_ms: null,
      rtt_p99_loaded_ms: null,
      idle100_core_fraction: null,
      idle_mib_per_cable: null,
    },
  });
});

test("the table says which bars are met, which are missed and what was not measured", () => {
  const table = formatTable(
    results({
      rounds: new Map([
        ["tap-vxlan", [round(10)]],
        ["tap-tls", [round(4)]],
      ]),
      missing: [{ name: "tap-qemu", why: "not installed" }],
      idle: [{ cables: 100, engineMib: 170, coreFraction: 0.01 }],
    }),
  );
  expect(table).toMatch(/tap-tls +4\.00 +4\.00/);
  expect(table).toMatch(/tap_tls_vs_kernel_vxlan +0\.400 +at least 0\.45 +missed/);
  expect(table).toMatch(/idle_mib_per_cable +1\.700 +at most 4 +met/);
  expect(table).toMatch(/e2e_tls_vs_ovs_vxlan +- +at least 3 +n\/a/);
  expect(table).toContain("tap-qemu: n/a (not installed)");
  expect(table).toContain("TCP (reno) in Gbit/s");
});

test.each([
  [[], 18, 4, true],
  [["--only", "host,tcp1"], 4, 1, false],
  [["--only", "tap"], 7, 4, false],
  [["--only", "e2e-tls,tcp1"], 1, 1, false],
  [["--only", "idle"], 0, 4, true],
  [["--only", "idle", "--only", "tap-tls"], 1, 4, true],
])("%j measures %d paths by %d measures, idle cables: %s", (argv, paths, measures, idle) => {
  const plan = parsePlan(argv);
  expect(plan?.paths).toHaveLength(paths);
  expect(plan?.measures).toHaveLength(measures);
  expect(plan?.idle).toBe(idle);
});

test.each([
  [[], undefined],
  [["--congestion", "reno"], "reno"],
])("%j measures streams with congestion control %s", (argv, congestion) => {
  expect(parsePlan(argv)?.congestion).toBe(congestion);
});

test.each([[["--only", "tap-foo"]], [["--rounds", "0"]], [["--fast"]], [["word"]]])("%j is refused", (argv) => {
  expect(parsePlan(argv)).toBeUndefined();
});
