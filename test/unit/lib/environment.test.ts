import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isPinned, startVariables } from "../../../lib/environment/pinned-variables.js";
import { toolEnvironment } from "../../../lib/environment/tool-environment.js";
import { installationRoot } from "../../../lib/program.js";

describe("the environment that libraries read", () => {
  it.each([
    ...["https_proxy", "HTTPS_PROXY", "http_proxy", "grpc_proxy", "no_proxy", "no_grpc_proxy", "ALL_PROXY"],
    ...["GRPC_TRACE", "GRPC_NODE_VERBOSITY", "GRPC_SSL_CIPHER_SUITES", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"],
    ...["NODE_OPTIONS", "NODE_TLS_REJECT_UNAUTHORIZED", "SSL_CERT_FILE", "SSLKEYLOGFILE", "OPENSSL_CONF"],
    ...["RES_OPTIONS", "LOCALDOMAIN", "HOSTALIASES", "LOG_TOKENS", "BUF_BIGINT_DISABLE", "INK_SCREEN_READER", "DEV"],
  ])("is taken away: %s", (name) => {
    expect(isPinned(name)).toBe(true);
  });

  it.each(["PATH", "HOME", "LANG", "LC_ALL", "TERM", "NO_COLOR", "FORCE_COLOR", "TZ", "TMPDIR", "ZOR_LOG", "DEVICE"])(
    "is left to the user: %s",
    (name) => {
      expect(isPinned(name)).toBe(false);
    },
  );

  it("is unset by the launcher where Node reads it before any program does", () => {
    const launcher = readFileSync(join(installationRoot, "zor"), "utf8");
    const unset = /^unset ((?:.*\\\n)*.*)$/m.exec(launcher)?.[1]?.split(/[\s\\]+/) ?? [];
    expect(unset.toSorted()).toEqual(startVariables.toSorted());
    expect(startVariables.every(isPinned)).toBe(true);
  });
});

describe("the environment of the host's tools", () => {
  it("holds only what they need, whatever the program was started with", () => {
    const own = {
      ...{ PATH: "/opt/x:relative::/usr/bin", HOME: "/root", ZOR_LOG: "debug", LANG: "de_DE.UTF-8" },
      ...{ TAR_OPTIONS: "--to-command=x", OVS_RUNDIR: "/x", NOTIFY_SOCKET: "/x", LD_PRELOAD: "/x", https_proxy: "x" },
    };
    expect(toolEnvironment(own, { MORE: "1", LC_ALL: "de_DE", NOT: undefined })).toEqual({
      PATH: "/opt/x:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/bin",
      ...{ HOME: "/root", ZOR_LOG: "debug", MORE: "1", LC_ALL: "C" },
    });
  });
});
