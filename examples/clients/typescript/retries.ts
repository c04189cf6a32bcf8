// Connect knows no service config: this interceptor repeats the calls that the package's own says may be repeated.
import { setTimeout } from "node:timers/promises";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import config from "shoal-client/service_config.json" with { type: "json" };

const [policy] = config.methodConfig;
const repeated = new Set(policy?.name.map(({ service, method }) => `${service}/${method}`));
const passing = new Set([Code.Unavailable, Code.ResourceExhausted]);

export const retries: Interceptor = (next) => async (request) => {
  const most = repeated.has(`${request.service.typeName}/${request.method.name}`) ? 4 : 1;
  for (let attempt = 1; ; attempt++) {
    try {
      return await next(request);
    } catch (error) {
      if (attempt === most || !passing.has(ConnectError.from(error).code)) throw error;
      await setTimeout(200 * 2 ** attempt * Math.random());
    }
  }
};
