import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { WaveServiceService } from "../../../proto/gen/zor/v1/wave_service.js";
import { watchWave } from "../../client/watch-wave.js";
import { operationStyle } from "../../kinds/operation/states.js";
import { escapeText } from "../../kit/text/escape.js";
import { exitCode } from "../exit-codes.js";
import { isStructured, type OutputFormat } from "../output/forms.js";
import type { Session } from "../session.js";
import { itemText } from "./wave-text.js";

/** Tells of each resource of a wave as it changes, until the wave has ended; one that did not succeed sets the exit code. */
export async function printChanges(session: Session, name: string, output: OutputFormat): Promise<void> {
  const json = isStructured(output) ? (await import("../output/proto-json.js")).responseJson : undefined;
  let printing = Promise.resolve();
  let pausedFor = "";
  await watchWave(await session.connect(), name, {
    signal: session.io.signal,
    onTrouble: (text) => session.note(escapeText(text)),
    onNews: (wave, changed) => {
      const { state, pauseReason } = wave;
      const isOver = state !== OperationState.OPERATION_STATE_RUNNING;
      if (isStructured(output) && json !== undefined) {
        const line = json(WaveServiceService.watchWave, { wave: { ...wave, items: [...changed] } });
        printing = printing.then(() => session.printItem(output, line));
      } else {
        for (const item of changed) session.print(itemText(item));
        if (pauseReason !== "" && pauseReason !== pausedFor) session.print(escapeText(`paused: ${pauseReason}`));
        if (isOver) session.print(operationStyle(state).word);
      }
      pausedFor = pauseReason;
      if (isOver && state !== OperationState.OPERATION_STATE_SUCCEEDED) session.setExitCode(exitCode.error);
    },
  });
  await printing;
}
