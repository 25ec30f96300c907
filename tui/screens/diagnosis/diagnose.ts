import { status } from "@grpc/grpc-js";
import { messageOf, ZorError } from "../../../lib/errors.js";
import type { Log } from "../../../lib/log.js";
import type { FleetGateway } from "../../session/gateway.js";
import { Diagnosis } from "./diagnosis.js";
import { type Model, newPage } from "../../kit/model.js";

/** A hub that takes longer than this to test a link is not waited for. */
const timeoutMs = 60_000;

/** What a diagnosis works with. */
export interface DiagnoseOptions {
  readonly model: Model;
  readonly gateway: FleetGateway;
  readonly log: Log;
  /** Ends the program, and with it the diagnosis. */
  readonly signal: AbortSignal;
}

/** Opens the diagnosis of a link, or begins it anew when it is the screen that is open; leaving the screen ends it. */
export async function diagnose(link: string, { model, gateway, log, signal }: DiagnoseOptions): Promise<void> {
  const { screen } = model;
  if (screen.type === "diagnosis" && screen.diagnosis.running) {
    model.say("still testing; the conclusion comes by itself");
    return;
  }
  if (screen.type === "diagnosis") model.pop();
  const diagnosis = new Diagnosis(link, model.nowMs);
  model.push({ type: "diagnosis", diagnosis, page: newPage() });
  const left = new AbortController();
  const unsubscribe = model.subscribe(() => {
    const open = model.screens.some((candidate) => candidate.type === "diagnosis" && candidate.diagnosis === diagnosis);
    if (!open) left.abort();
  });
  const stop = AbortSignal.any([signal, left.signal]);
  try {
    for await (const response of gateway.diagnose(link, AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)]))) {
      diagnosis.apply(response);
      model.changed();
    }
    diagnosis.end(model.nowMs);
  } catch (error) {
    if (!stop.aborted) log.warn({ err: error, resource: link }, "a diagnosis failed");
    diagnosis.end(model.nowMs, failureText(error));
  } finally {
    unsubscribe();
  }
  model.changed();
}

function failureText(error: unknown): string {
  const unknownToHub = error instanceof ZorError && error.code === status.UNIMPLEMENTED;
  return unknownToHub ? "this hub cannot test links; it is of an older version" : messageOf(error);
}
