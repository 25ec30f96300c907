import { expect, test } from "vitest";
import { explain } from "../../../../../agent/drivers/libvirt/virsh.js";
import { ToolError } from "../../../../../agent/host/exec.js";

const said = (stderr: string) =>
  new ToolError({ tool: "virsh", argv: [], exitCode: 1, stderr, why: "exit code 1", cause: undefined });

test.each([
  [
    "lxc:///system",
    "error: this function is not supported by the connection driver: virDomainReset",
    /^libvirt's driver for lxc cannot do that \(.*virDomainReset\)$/,
  ],
  [
    "esx://host",
    "error: no connection driver available for esx://host",
    /^this libvirt has no driver for esx; install/,
  ],
  ["xen:///system", "error: authentication failed: no", /authfile=FILE/],
  ["test:///default", "error: Requested operation is not valid: domain is not running", /^Requested operation is not/],
])("a refusal of %s says what to do about it: %s", (uri, stderr, words) => {
  expect(explain(said(stderr), uri)).toMatch(words);
});
