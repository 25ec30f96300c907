/** A message as JSON, as ts-proto generates it for each. What `fromJSON` gives has all fields, but it may hold nonsense. */
export interface Codec<Message> {
  /** @param json an object. @throws when something in it is beyond reading. */
  fromJSON(json: object): Message;
  toJSON(message: Message): unknown;
}

/** A message from JSON that somebody else has written. @throws {Error} with what is wrong. */
export function readJson<Message>(codec: Codec<Message>, json: unknown): Message {
  if (typeof json !== "object" || json === null) throw new Error("it is not a message, which is a JSON object");
  return codec.fromJSON(json);
}

/** The codec of a message that must fulfil more than its form: `check` throws otherwise, or gives a narrower type. */
export function checkedCodec<Message, Checked extends Message>(
  codec: Codec<Message>,
  check: (message: Message) => Checked,
): Codec<Checked> {
  return { fromJSON: (json) => check(codec.fromJSON(json)), toJSON: (message) => codec.toJSON(message) };
}
