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

// As an application does, it keeps a client for as long as its options are the same.
const clients = new Map();

function client(options) {
  const key = JSON.stringify(options);
  if (!clients.has(key)) clients.set(key, open(options));
  return clients.get(key);
}

function open({ ca_file, ...given }) {
  const made = new Client({
    clientId: given.client_id,
    clientSecret: given.client_secret,
    apiHost: given.api_host,
    redirectUrl: given.redirect_uri,
    useDuoCodeAttribute: given.use_duo_code_attribute,
  });
  // The SDK trusts Duo's authorities alone, and has no option for another. It gives them to its agent
  // itself, which leaves NODE_EXTRA_CA_CERTS without effect; so the agent is told another one here.
  if (ca_file) made.axios.defaults.httpsAgent.options.ca = readFileSync(ca_file);
  return made;
}

async function answer({ call, options, ...given }) {
  try {
    return { result: await calls[call](client(options), given) };
  } catch (error) {
    return { error: error.name, message: error.message, cause: error.inner?.message ?? null };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line))));
}
