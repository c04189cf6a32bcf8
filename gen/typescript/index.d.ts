import type { Client, Transport } from "@connectrpc/connect";
import type { GrpcTransportOptions } from "@connectrpc/connect-node";

/** One client for every service. */
export interface Shoal {
}

/** Makes a client of every service over one transport. */
export declare function clients(transport: Transport): Shoal;
/** Makes a client of every service at one address. */
export declare function connect(baseUrl: string, options?: Omit<GrpcTransportOptions, "baseUrl">): Shoal;
