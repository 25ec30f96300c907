import { status } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { run, ToolError } from "../../../../agent/host/exec.js";
import { asFailure } from "../../../../agent/kit/failure.js";

const resource = "hosts/h1/instances/m1";

it("names the package of a program that is not on the host", async () => {
  const failed = await run("qemu-nbd-none", []).catch((error: unknown) => error);
  expect(asFailure(failed, resource, "create")).toMatchObject({
    code: status.FAILED_PRECONDITION,
    reason: "TOOL_MISSING",
    resource,
    message: `could not create ${resource}: qemu-nbd-none is not installed on the host; install it there with: apt-get install qemu-nbd-none`,
  });
});

it.each([
  ["qemu-img", "qemu-utils"],
  ["setpriv", "util-linux"],
  ["ovs-ofctl", "openvswitch-common"],
  ["xorriso", "xorriso"],
])("knows that %s is in %s", (tool, debianPackage) => {
  const missing = { tool, argv: [], exitCode: undefined, stderr: "", why: "is not installed", cause: undefined };
  const failure = asFailure(new ToolError(missing), resource, "start") as Error;
  expect(failure.message).toMatch(new RegExp(`apt-get install ${debianPackage}$`));
});

it.each([
  Object.assign(new Error("x"), { code: "ENOSPC" }),
  Object.assign(new Error("x"), { code: "EDQUOT" }),
  new ToolError({
    ...{ tool: "cp", argv: [], exitCode: 1, why: "failed", cause: undefined },
    stderr: "cp: error writing '/x/y': No space left on device",
  }),
])("says that the disk is full, whoever found out", (cause) => {
  expect(asFailure(cause, resource, "create")).toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
    reason: "DISK_FULL",
    resource,
    message: expect.stringMatching(/free some space/),
  });
});
