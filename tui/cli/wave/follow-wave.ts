import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { presentOperation, runOperation } from "../../client/operation.js";
import { showProgress } from "../output/progress.js";
import type { Session } from "../session.js";

/** Follows a wave to its end with its progress on stderr; Ctrl-C leaves it as it is. @throws {ZorError} its own error when it failed. */
export async function followWave(session: Session, name: string): Promise<void> {
  const { signal } = session.io;
  const { operation } = await session.call(OperationServiceService.getOperation, { name });
  const connection = await session.connect();
  using progress = showProgress(session.io.errors, session.io.env, operation?.verb ?? "");
  const left = Promise.withResolvers<never>();
  const leave = (): void => left.reject(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  const followed = runOperation(connection, presentOperation(operation, name), {
    onProgress: (now) => progress.update(now),
  });
  // Once nobody waits for it any more it ends with the connection.
  followed.catch(() => undefined);
  try {
    await Promise.race([followed, left.promise]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}
