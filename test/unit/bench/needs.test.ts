import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { installationRoot } from "../../../lib/program.js";
import { findMissing, needs, summarize } from "../../bench/needs.js";

/** A machine that has only seen npm start. */
const started = new Set(["ip", "ethtool", "qemu-system-x86_64", "ovs-vswitchd", "crun"]);
const machine = (programs: ReadonlySet<string>, isRoot = true) => ({
  isRoot,
  hasProgram: (name: string) => programs.has(name),
});

describe("what benchmarks need", () => {
  it("is said by every benchmark there is, and by no other", () => {
    const files = readdirSync(join(installationRoot, "test/bench"), { withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && entry.name !== "needs.ts")
      .map(({ name }) => name.replace(/\.tsx?$/, ""));
    expect(Object.keys(needs).toSorted()).toEqual(files.toSorted());
  });

  it("is installed by set-up for tests", () => {
    const packages = readFileSync(join(installationRoot, "deploy/packages.txt"), "utf8");
    const listed = new Set(packages.split("\n").map((line) => line.split(/\s/)[0]));
    const wanted = Object.values(needs).flatMap((each) =>
      each.flatMap((need) => (need.kind === "program" ? [need.package] : [])),
    );
    expect(wanted.filter((name) => !listed.has(name))).toEqual([]);
  });

  it("is told before anything runs, with the package of each program", () => {
    expect(findMissing(needs["c2c"] ?? [], machine(started))).toEqual({
      lines: [
        "ping (Debian package iputils-ping)",
        "iperf3 (Debian package iperf3)",
        "wireguard-go (Debian package wireguard-go)",
        "wg (Debian package wireguard-tools)",
      ],
      canInstall: true,
    });
    expect(findMissing(needs["a2b"] ?? [], machine(new Set([...started, "ping", "iperf3"])))).toBeUndefined();
    expect(findMissing(needs["hub"] ?? [], machine(new Set(), false))).toBeUndefined();
  });

  it("cannot be installed where root is what is missing", () => {
    expect(findMissing(needs["a2b"] ?? [], machine(new Set(["ip", "ping", "iperf3"]), false))).toEqual({
      lines: [expect.stringContaining("run the same command as root")],
      canInstall: false,
    });
  });

  it("is summed up in the list of benchmarks", () => {
    expect(summarize(needs["a2b"] ?? [])).toBe("root, ip, ping, iperf3");
    expect(summarize(needs["hub"] ?? [])).toBe("nothing but this project");
  });
});
