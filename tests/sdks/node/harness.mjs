// Duo's SDK for Node, called as its README shows: a command a line comes in, an answer a line goes out.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { Client } from "@duosecurity/duo_universal";

const calls = {
  health_check: (client) => client.healthCheck(),
  generate_state: (client) => client.generateState(),
  create_auth_url: (client, { username, state }) => client.createAuthUrl(username, state),
  exchange: (client, { code, username, nonce }) =>
    client.exchangeAuthorizationCodeFor2FAResult(code, username, nonce),
};

function open({ client_id, client_secret, api_host, redirect_uri, ca_file }) {
  const client = new Client({
    clientId: client_id,
    clientSecret: client_secret,
    apiHost: api_host,
    redirectUrl: redirect_uri,
  });
  // The SDK trusts Duo's authorities alone, and has no option for another. It gives them to its agent
  // itself, which leaves NODE_EXTRA_CA_CERTS without effect; so the agent is told another one here.
  if (ca_file) client.axios.defaults.httpsAgent.options.ca = readFileSync(ca_file);
  return client;
}

async function answer({ call, client, ...given }) {
  try {
    return { result: await calls[call](open(client), given) };
  } catch (error) {
    return { error: error.name, message: error.message, cause: error.inner?.message ?? null };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line))));
}
