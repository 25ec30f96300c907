import { describe, expect, test } from "vitest";
import { readField } from "../../../../lib/kinds/read-field.js";
import { AttachConsoleRequest } from "../../../../proto/gen/zor/v1/console_service.js";
import { CreateInstanceRequest } from "../../../../proto/gen/zor/v1/instance_service.js";
import { UpdateLanRequest } from "../../../../proto/gen/zor/v1/lan_service.js";

describe("the route of a request", () => {
  test.each([
    ["a field", CreateInstanceRequest.fromPartial({ parent: "hosts/a" }), "parent", "hosts/a"],
    [
      "a field of a message",
      UpdateLanRequest.fromPartial({ lan: { name: "hosts/a/lans/l" } }),
      "lan.name",
      "hosts/a/lans/l",
    ],
    [
      "a field of the member of a choice",
      AttachConsoleRequest.fromPartial({ message: { $case: "open", value: { name: "hosts/a/instances/i" } } }),
      "open.name",
      "hosts/a/instances/i",
    ],
    ["a field with a proto name of several words", { lanName: "hosts/a/lans/l" }, "lan_name", "hosts/a/lans/l"],
    ["a field that is not there", {}, "name", ""],
  ])("is read from %s", (_what, request, path, name) => {
    expect(readField(request, path)).toBe(name);
  });

  test.each([
    ["that has no resource", UpdateLanRequest.fromPartial({}), "lan.name", undefined, "lan", "must be given"],
    [
      "whose first message is another",
      AttachConsoleRequest.fromPartial({ message: { $case: "data", value: Buffer.from("x") } }),
      "open.name",
      "must be the first message",
      "open",
      "must be the first message",
    ],
  ])("is missed in a request %s", (_what, request, path, missing, field, description) => {
    const violations = [{ field, description }];
    expect(() => readField(request, path, missing)).toThrow(expect.objectContaining({ violations }));
  });
});
