import { z } from "zod";
import { EventQuery } from "../../proto/gen/zor/v1/event_service.js";
import { checkEventQuery } from "../events/event-query.js";
import { messageOf } from "../errors.js";
import { isId } from "../names.js";
import { isNetwork } from "./hook-address.js";

const severities = { info: 1, warning: 2, error: 3 } as const;
const path = z.string().regex(/^\/[^\0]*$/, "expected an absolute path");

const eventsSchema = z
  .strictObject({
    kinds: z.array(z.string()).default([]),
    callers: z.array(z.string()).default([]),
    hosts: z.array(z.string()).default([]),
    resource: z.string().default(""),
    severity: z.enum(["info", "warning", "error"]).default("info"),
    filter: z.string().default(""),
  })
  .transform((wanted, context) => {
    const query = EventQuery.fromPartial({ ...wanted, severity: severities[wanted.severity] });
    try {
      return checkEventQuery(query, "events");
    } catch (error) {
      context.addIssue({ code: "custom", message: messageOf(error) });
      return z.NEVER;
    }
  });

const webhookSchema = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .refine((url) => new URL(url).username === "" && new URL(url).password === "", "must have no password in it"),
  /** File with the secret that bodies are signed with, read each time. */
  secretFile: path.optional(),
});

const hookSchema = z
  .strictObject({
    name: z.string().refine((name): boolean => isId(name), 'use letters, digits, "-", "_" or "."'),
    /** Which events; default: all. */
    events: eventsSchema.prefault({}),
    webhook: webhookSchema.optional(),
    /** A program and its arguments, which are always the same: the event is on its standard input. */
    exec: z.tuple([path], z.string().regex(/^[^\0]*$/)).optional(),
    /** Attempts at an event before it becomes a dead letter. */
    attempts: z.number().int().min(1).max(50).default(8),
    /** How long one may take. */
    timeoutSeconds: z.number().min(0.1).max(600).default(10),
    /** First wait before another attempt; it doubles, up to the longest. */
    retrySeconds: z.number().min(0.01).max(3600).default(1),
    maxRetrySeconds: z.number().min(0.01).max(86_400).default(60),
  })
  .refine(({ webhook, exec }) => (webhook === undefined) !== (exec === undefined), "give either webhook or exec");

/** Settings of hooks, of hubs and agents alike: only in their own configuration. */
export const hookSettings = {
  hooks: z
    .array(hookSchema)
    .max(64)
    .refine((hooks) => new Set(hooks.map(({ name }) => name)).size === hooks.length, "two have the same name"),
  hookNetworks: z.array(z.string().refine(isNetwork, 'expected a network such as "10.0.0.0/8"')).max(64),
};

/** A hook as it is configured. */
export type HookConfig = z.output<typeof hookSchema>;
