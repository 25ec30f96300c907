/** Sockets that QEMU makes in its working directory. */
export const socketNames = { qmp: "qmp", console: "console", guestAgent: "qga" } as const;
/** Ids of character devices, as QMP reports them. */
export const guestAgentChardev = "qga";
/** Id of the device of an interface, by its place. */
export const nicId = (index: number): string => `nic${index}`;
/** Id of the guest agent's port, as in the event VSERPORT_CHANGE. */
export const guestAgentPort = "qgaport";
