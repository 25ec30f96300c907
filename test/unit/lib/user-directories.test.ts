import { homedir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { userDirectory } from "../../../lib/user-directories.js";
import { configDirectory } from "../../../tui/client/contexts.js";
import { defaultLogFile } from "../../../tui/session/log-file.js";

describe("what belongs to a user is kept", () => {
  it.each([
    ["config", { HOME: "/home/ana" }, "/home/ana/.config/zor"],
    ["state", { HOME: "/home/ana" }, "/home/ana/.local/state/zor"],
    ["config", { HOME: "/home/ana", XDG_CONFIG_HOME: "/conf" }, "/conf/zor"],
    ["state", { HOME: "/home/ana", XDG_STATE_HOME: "/state/" }, "/state/zor"],
    ["config", { HOME: "/home/ana", XDG_CONFIG_HOME: "" }, "/home/ana/.config/zor"],
    ["config", { HOME: "/home/ana", XDG_CONFIG_HOME: "relative" }, "/home/ana/.config/zor"],
    ["state", { HOME: "/home/ana", XDG_CONFIG_HOME: "/conf" }, "/home/ana/.local/state/zor"],
    ["config", {}, join(homedir(), ".config/zor")],
    ["config", { HOME: "relative" }, join(homedir(), ".config/zor")],
  ] as const)("as %s with %j in %s", (kind, env, expected) => {
    expect(userDirectory(kind, env)).toBe(expected);
  });

  it("where ZOR_CONFIG says, whatever else is set", () => {
    expect(configDirectory({ HOME: "/h", XDG_CONFIG_HOME: "/conf", ZOR_CONFIG: "/mine" })).toBe("/mine");
    expect(configDirectory({ HOME: "/h", XDG_CONFIG_HOME: "/conf", ZOR_CONFIG: "" })).toBe("/conf/zor");
  });

  it("with the log of zor tui in the state directory", () => {
    expect(defaultLogFile({ HOME: "/h", XDG_STATE_HOME: "/s" })).toBe("/s/zor/tui.log");
    expect(defaultLogFile({ HOME: "/h" })).toBe("/h/.local/state/zor/tui.log");
  });
});
