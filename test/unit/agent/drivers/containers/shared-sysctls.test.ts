import { describe, expect, it } from "vitest";
import { sharedSysctlPaths, sharedSysctls } from "../../../../../agent/drivers/containers/shared-sysctls.js";
import { checkSysctls } from "../../../../../agent/drivers/containers/sysctl-check.js";

describe("settings that are the whole machine's in every net namespace", () => {
  it.each(sharedSysctls)("are refused for a container: %s", (name) => {
    expect(checkSysctls("spec.sysctls", { [name]: "1", "net.ipv4.ip_forward": "1" })).toEqual([
      { field: "spec.sysctls", description: expect.stringContaining(`"${name}" is the whole host's`) },
    ]);
  });

  it("are kept from being written, with their directory where only a module would bring them", () => {
    const path = "/proc/sys/net/netfilter/nf_hooks_lwtunnel";
    expect(sharedSysctlPaths(() => true)).toEqual([path]);
    expect(sharedSysctlPaths((asked) => asked === "/proc/sys/net/netfilter")).toEqual(["/proc/sys/net/netfilter"]);
    // All of /proc/sys/net is never taken away.
    expect(sharedSysctlPaths(() => false)).toEqual([]);
  });
});
