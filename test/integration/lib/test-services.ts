import { authorize } from "../../../lib/auth/policy.js";
import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import type { GuardedServer } from "../../../lib/grpc/server.js";
import { type CallContext, implementService } from "../../../lib/grpc/service.js";
import { ExecServiceService } from "../../../proto/gen/zor/v1/exec_service.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { WatchResponse, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";

/** What services that do nothing were asked. */
export interface TestServices {
  /** Contexts of the calls that came. */
  readonly seen: CallContext[];
  /** Messages that streams have produced, read or not. */
  produced: number;
}

/** Adds services whose methods answer, fail, wait or stream, each in its own way. */
export function addTestServices(server: GuardedServer): TestServices {
  const services: TestServices = { seen: [], produced: 0 };
  const options = { authorize };
  const refuse = async (): Promise<never> => {
    throw failedPrecondition("NOT_HERE", "hosts/h/instances/vm", "not in this test");
  };
  server.addService(
    InstanceServiceService,
    implementService(
      InstanceServiceService,
      {
        createInstance: refuse,
        updateInstance: refuse,
        listInstances: refuse,
        stopInstance: refuse,
        pauseInstance: refuse,
        resumeInstance: refuse,
        resetInstance: refuse,
        changeMedium: refuse,
        sendKeys: refuse,
        adoptInstance: refuse,
        suspendInstance: refuse,
        shutdownInstance: async () => {
          throw new Error("secret path /var/lib/secret");
        },
        deleteInstance: async (request) => {
          throw invalidArgument("name", `bad: ${request.name}`, request.name);
        },
        startInstance: async (request, context) => {
          services.seen.push(context);
          return { instance: Instance.fromPartial({ name: request.name }) };
        },
        getInstance: (_, context) =>
          new Promise((_resolve, reject) => {
            services.seen.push(context);
            context.signal.addEventListener("abort", () => reject(new Error("aborted")));
          }),
      },
      options,
    ),
  );
  server.addService(
    WatchServiceService,
    implementService(
      WatchServiceService,
      {
        watch: async function* (_, context) {
          services.seen.push(context);
          for (;;) {
            services.produced += 1;
            yield WatchResponse.fromPartial({
              position: { epoch: "e".repeat(1000), revision: BigInt(services.produced) },
            });
          }
        },
      },
      options,
    ),
  );
  server.addService(
    ExecServiceService,
    implementService(
      ExecServiceService,
      {
        exec: async function* (requests) {
          for await (const { message } of requests) {
            if (message?.$case === "stdin") yield { message: { $case: "stdout", value: message.value } };
          }
          yield { message: { $case: "exit", value: { code: 7, signal: 0, truncated: false } } };
        },
      },
      options,
    ),
  );
  return services;
}
