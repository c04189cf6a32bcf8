import type { GrpcTransportOptions } from "@connectrpc/connect-node";
import type { Shoal } from "./clients.js";

export { clients, type Shoal } from "./clients.js";
/** Makes a client of every service at one address. */
export declare function connect(baseUrl: string, options?: Omit<GrpcTransportOptions, "baseUrl">): Shoal;
