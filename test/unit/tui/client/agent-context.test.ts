import { describe, expect, it } from "vitest";
import { agentContext } from "../../../../tui/client/agent-context.js";
import type { Context } from "../../../../tui/client/contexts.js";

const hub: Context = {
  name: "paris",
  addresses: ["10.0.0.1:7440"],
  serverName: "hub.zor",
  identityDirectory: "/home/ana/.config/zor/identities/paris",
};

describe("a context that leads past a hub to an agent", () => {
  it("is the same person at the agent's addresses, whose certificate has to be that host's", () => {
    expect(agentContext(hub, { id: "alpha", addresses: ["10.0.0.7:7443"], via: "" })).toEqual({
      ...hub,
      name: "paris-alpha",
      addresses: ["10.0.0.7:7443"],
      serverName: "alpha.host.zor",
    });
  });

  it("goes through the ssh server of the hub's context, or through the one that the hub goes through", () => {
    const through = { ...hub, ssh: { host: "bastion" } };
    const place = { id: "alpha", addresses: ["127.0.0.1:7443"] };
    expect(agentContext(through, { ...place, via: "" }).ssh).toEqual({ host: "bastion" });
    expect(agentContext(through, { ...place, via: "ssh://ops@rack7:2222" }).ssh).toEqual({
      ...{ user: "ops", host: "rack7", port: 2222 },
    });
  });

  it("has a name that a context can have, however long those of hub and host are", () => {
    const id = "h".repeat(60);
    expect(agentContext(hub, { id, addresses: ["10.0.0.7:7443"], via: "" }).name).toBe(id);
  });

  it("is not there for an agent that waits for nobody", () => {
    expect(() => agentContext(hub, { id: "alpha", addresses: [], via: "" })).toThrow(
      /^the agent of alpha dials the hub and waits for nobody/,
    );
  });
});
