import type { InstanceDriver } from "../../agent/drivers/driver.js";
import { invalidFields } from "../../lib/errors.js";
import type { InstanceSpec } from "../../proto/gen/zor/v1/instance.js";
import { FakeDriver } from "../fakes/driver.js";
import { EchoOptions } from "./gen/zor/test/v1/echo.js";
import "./register.js";

const optionsType = "zor.test.v1.EchoOptions";
const maxGreetingLength = 100;

/** A spec for the echo driver. */
export function echoSpec(options: Partial<EchoOptions> = {}): InstanceSpec["driver"] {
  const value = Buffer.from(EchoOptions.encode(EchoOptions.fromPartial(options)).finish());
  return { $case: "other", value: { typeUrl: `type.googleapis.com/${optionsType}`, value } };
}

/** A driver that the API has no options of: its guests greet whoever looks, and write what they read. Their network is their own. */
export class EchoDriver extends FakeDriver {
  constructor() {
    super({ kind: "echo", options: { type: optionsType }, network: "own" });
  }

  override async validate(spec: InstanceSpec, options: Parameters<InstanceDriver["validate"]>[1]): Promise<void> {
    await super.validate(spec, options);
    const { greeting } = optionsOf(spec);
    if (greeting.length <= maxGreetingLength) return;
    const description = `${greeting.length} characters are more than ${maxGreetingLength}`;
    throw invalidFields([{ field: "instance.spec.other.greeting", description }]);
  }

  override async start(
    instance: Parameters<InstanceDriver["start"]>[0],
    network: Parameters<InstanceDriver["start"]>[1],
    options: Parameters<InstanceDriver["start"]>[2],
  ): ReturnType<InstanceDriver["start"]> {
    const { greeting } = optionsOf(instance.spec);
    this.consolePast = greeting === "" ? "ready" : greeting;
    return super.start(instance, network, options);
  }
}

function optionsOf({ driver }: InstanceSpec): EchoOptions {
  if (driver?.$case !== "other") throw invalidFields([{ field: "instance.spec.driver", description: "is not echo" }]);
  return EchoOptions.decode(driver.value.value);
}
