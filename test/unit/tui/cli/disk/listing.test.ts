import { describe, expect, it } from "vitest";
import { entryColumns, usageColumns } from "../../../../../tui/cli/disk/listing.js";
import { type Column, Table } from "../../../../../tui/cli/output/table.js";
import { splitPlace } from "../../../../../tui/cli/disk/places.js";

function cellsOf<T>(columns: readonly Column<T>[], row: T): readonly string[] {
  return columns.map((column) => column.value(row));
}

const entry = { name: Buffer.from("a"), uid: 0, gid: 0, size: 1n, modified: 0n, target: Buffer.alloc(0) };

describe("an entry of a guest's disk in one line", () => {
  it.each([
    [0o100644, "-rw-r--r--"],
    [0o040755, "drwxr-xr-x"],
    [0o120777, "lrwxrwxrwx"],
    [0o060660, "brw-rw----"],
    [0o020600, "crw-------"],
    [0o010600, "prw-------"],
    [0o140600, "srw-------"],
    [0o104755, "-rwsr-xr-x"],
    [0o102644, "-rw-r-Sr--"],
    [0o041777, "drwxrwxrwt"],
    [0o000000, "?---------"],
    [0xffff_ffff, "?rwsrwsrwt"],
  ])("shows the mode %o as ls does", (mode, text) => {
    expect(cellsOf(entryColumns, { ...entry, mode })[0]).toBe(text);
  });

  it("takes nothing of it for an order, and any number for a time", () => {
    const name = Buffer.from([0x1b, 0x5b, 0x30, 0x6d, 0xff, 0x0a]);
    const hostile = { ...entry, mode: 0o120777, name, target: Buffer.from("\u202e/x"), modified: 2n ** 62n };
    const table = new Table(entryColumns, [hostile], { width: undefined, color: false });
    expect(table.row(hostile)).toMatch(/ \? +\\x1b\[0m\ufffd\\n -> \\u202e\/x$/);
    expect(cellsOf(entryColumns, { ...entry, mode: 0o100644, modified: 1_700_000_000n })[3]).toBe("2023-11-14 22:13");
  });
});

describe("a file system in a table", () => {
  it("shows shares, or why nothing is known", () => {
    const usage = { device: "/dev/sda", type: "ext4", label: "disk0", size: 64n << 20n, free: 48n << 20n, reason: "" };
    expect(cellsOf(usageColumns, usage)).toEqual(["/dev/sda", "ext4", "64", "16", "48", "25%", "disk0"]);
    expect(cellsOf(usageColumns, { ...usage, size: 0n, free: 0n, reason: "cannot be mounted" })[5]).toBe(
      "cannot be mounted",
    );
    expect(cellsOf(usageColumns, { ...usage, size: 0n, free: 0n })[5]).toBe("");
  });
});

describe("a place in the disks of an instance", () => {
  it.each([
    ["alpha/vm1", { instance: "alpha/vm1", disk: "", path: undefined }],
    ["vm1:disk1", { instance: "vm1", disk: "disk1", path: undefined }],
    ["vm1:/etc/a:b", { instance: "vm1", disk: "", path: "/etc/a:b" }],
    ["vm1:disk1:/", { instance: "vm1", disk: "disk1", path: "/" }],
    ["vm1:", { instance: "vm1", disk: "", path: undefined }],
    [":/etc", undefined],
    ["", undefined],
  ])("is taken apart: %s", (text, parts) => {
    expect(splitPlace(text)).toEqual(parts);
  });
});
