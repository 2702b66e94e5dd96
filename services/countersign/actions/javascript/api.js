// The api that Actions are handed: it notes what they ask for on the flow and the Action under way.
//
// Built once a realm. A call after its Action has ended, by work that was left behind, does nothing.
(function (realm) {
  'use strict';

  // As they are now: code that runs later may put something of the same name before them.
  const { Array, Error, JSON, Map, Math, Object, String, encodeURIComponent } = globalThis;

  const { maxBytes, maxFactors, maxUsername, maxUrl } = realm.limits;
  const { cacheEntries, cacheKey, cacheValue, cacheLifetime, maxCacheLifetime } = realm.limits;
  const { providers, factors, interactive } = realm.words;

  const invalid = (member, problem) => realm.error('invalid-call', member, `${member}: ${problem}`);

  // Whether the api still counts for whoever calls it.
  const open = () => realm.action !== null && realm.action.open;

  function say(word) {
    const { words } = realm.action;
    if (!words.includes(word)) words.push(word);
  }

  // Counts what is going to be handed on; too much of it fails the Action, caught or not.
  function weigh(text) {
    realm.flow.bytes += text.length;
    if (realm.flow.bytes <= maxBytes) return text;
    realm.fail('output', null, `The effects of this login have more than ${maxBytes} characters. Hand on less`);
    throw realm.error('output', null, 'Too many effects');
  }

  // Returns a copy that nobody changes any more; undefined and functions are left out, as in JSON.
  function copied(member, value) {
    const text = JSON.stringify(value);
    return text === undefined ? undefined : JSON.parse(weigh(text));
  }

  function isObject(value) {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  }

  // -- multifactor --

  const CREDENTIALS = ['ikey', 'skey', 'host'];
  const LENGTHS = realm.limits.credentials;

  const lacks = (value) => value === undefined || value === null || value === '';

  function credentials(member, given) {
    const account = { ikey: given.ikey, skey: given.skey, host: given.host };
    if (lacks(account.ikey) && lacks(account.skey) && lacks(account.host)) return null;
    for (const name of CREDENTIALS) {
      const value = account[name];
      if (lacks(value)) {
        throw invalid(member, `${name} is missing. Give ikey, skey and host together, or none of them; is a secret not set?`);
      }
      if (typeof value !== 'string') throw invalid(member, `${name} is not a string`);
      if (LENGTHS[name] !== undefined && value.length !== LENGTHS[name]) {
        throw invalid(member, `${name} has ${value.length} characters, Duo's has ${LENGTHS[name]}`);
      }
    }
    return account;
  }

  // Notes who challenges. `given` holds ikey, skey, host and username, if there are any.
  realm.enable = (member, provider, given, remembers) => {
    if (!providers.includes(provider)) {
      const told = typeof provider === 'string' ? `"${provider}"` : realm.describe(provider);
      throw invalid(member, `${told} is no provider. Give one of ${providers.join(', ')}`);
    }
    if (typeof remembers !== 'boolean') throw invalid(member, 'allowRememberBrowser is not a boolean');
    const { flow } = realm;
    let account = null;
    let username = null;
    if (provider === 'duo' && given !== undefined && given !== null) {
      if (!isObject(given)) throw invalid(member, 'providerOptions is not an object');
      account = credentials(member, given);
      if ('username' in given) {
        username = typeof given.username === 'string' && given.username.trim() !== '' ? given.username : '';
        if (username.length > maxUsername || /\p{Cc}/u.test(username)) {
          throw invalid(member, `the username has control characters, or more than ${maxUsername} characters`);
        }
      }
    }
    flow.provider = provider;
    flow.allowRememberBrowser = remembers;
    flow.credentials = account;
    flow.username = username;
    say(`enable-${provider}`);
  };

  function enable(provider, options) {
    if (!open()) return api;
    const member = 'api.multifactor.enable';
    if (options !== undefined && options !== null && !isObject(options)) {
      throw invalid(member, 'the options are not an object');
    }
    realm.enable(member, provider, options?.providerOptions, options?.allowRememberBrowser ?? false);
    return api;
  }

  // -- access --

  function asText(value) {
    if (value instanceof Error) return String(value.message);
    return typeof value === 'string' ? value : realm.describe(value);
  }

  realm.deny = (code, reason) => {
    const { flow } = realm;
    flow.accessDenied = { reason: weigh(reason) };
    if (code !== undefined) flow.accessDenied.code = weigh(code);
    flow.ended = true;
    say('deny');
  };

  function deny(...given) {
    if (!open()) return api;
    if (given.length === 0) throw invalid('api.access.deny', 'the reason is missing');
    if (given.length > 1 && given[1] !== undefined) realm.deny(asText(given[0]), asText(given[1]));
    else realm.deny(undefined, asText(given[0]));
    return api;
  }

  // -- authentication --

  function delegate(member, wanted, enroll) {
    const { flow } = realm;
    const list = wanted.map((one) => (typeof one === 'string' ? { type: one } : one));
    if (list.length === 0) throw invalid(member, 'no factor is given');
    for (const one of list) {
      if (!isObject(one) || !factors.includes(one.type)) {
        const told = isObject(one) ? realm.describe(one.type) : realm.describe(one);
        throw invalid(member, `${told} is no factor. Give one of ${factors.join(', ')}`);
      }
    }
    flow.delegations = (flow.delegations ?? 0) + 1;
    if (flow.delegations > maxFactors) throw invalid(member, `is called for the ${flow.delegations}th time; at most ${maxFactors} are taken`);
    flow.factors = list.map(({ type, options, ...rest }) => {
      const more = copied(member, { ...rest, ...options });
      return { type, enroll, ...(Object.keys(more).length ? { options: more } : {}) };
    });
    flow.ended = true;
    say(enroll ? 'enroll-with' : 'challenge-with');
    return api;
  }

  function withOne(member, enroll) {
    return (factor, options) => {
      if (!open()) return api;
      if (options !== undefined && options !== null && !isObject(options)) throw invalid(member, 'the options are not an object');
      const first = isObject(factor) ? factor : { type: factor };
      const { additionalFactors, ...rest } = options ?? {};
      if (additionalFactors !== undefined && !Array.isArray(additionalFactors)) throw invalid(member, 'additionalFactors is not an array');
      return delegate(member, [{ ...first, ...rest }, ...(additionalFactors ?? [])], enroll);
    };
  }

  function withAny(member, enroll) {
    return (wanted) => {
      if (!open()) return api;
      if (!Array.isArray(wanted)) throw invalid(member, 'the factors are not an array');
      return delegate(member, [...wanted], enroll);
    };
  }

  // -- what is handed on --

  realm.record = (call, args) => {
    const { flow } = realm;
    const kept = copied(call, args);
    const keyed = call.endsWith('Metadata') && kept.length > 1;
    const recorded = (flow.recorded ??= []);
    const place = keyed
      ? recorded.findIndex((one) => one.call === call && one.arguments[0] === kept[0])
      : -1;
    if (place >= 0) recorded[place] = { call, arguments: kept };
    else recorded.push({ call, arguments: kept });
    say('recorded');
  };

  function recording(path) {
    const call = path.slice('api.'.length);
    const metadata = /\.set\w*Metadata$/.test(path);
    return (...args) => {
      if (!open()) return api;
      if (metadata && typeof args[0] !== 'string') throw invalid(path, 'the key is not a string');
      // JSON has no undefined, and null would delete what is there.
      if (args.length > 1 && args[1] === undefined) return api;
      realm.record(call, args);
      return api;
    };
  }

  // -- redirect --

  realm.redirect = (member, address, query) => {
    let url;
    // What browsers read in several ways is no address.
    if (typeof address !== 'string' || !/^https?:\/\/[^/?#@]+(?:[/?#]|$)/i.test(address) || /[\s\\\p{Cc}]/u.test(address)) {
      throw invalid(member, 'the URL is not an absolute http or https one');
    }
    url = address;
    if (query !== undefined && query !== null) {
      if (!isObject(query)) throw invalid(member, 'query is not an object');
      const pairs = Object.entries(query)
        .filter(([, value]) => value !== undefined && value !== null)
        .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`);
      const [, before, fragment] = /^([^#]*)(.*)$/s.exec(url);
      if (pairs.length) url = `${before}${before.includes('?') ? '&' : '?'}${pairs.join('&')}${fragment}`;
    }
    if (url.length > maxUrl) throw invalid(member, `the URL has more than ${maxUrl} characters`);
    realm.flow.redirectUrl = weigh(url);
    realm.flow.ended = true;
    say('redirect');
  };

  // -- cache --

  const bytes = (text) => {
    let count = 0;
    for (const character of text) {
      const point = character.codePointAt(0);
      count += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    }
    return count;
  };
  const failed = (code) => Object.freeze({ type: 'error', code });

  const cache = {
    get(key) {
      const entry = open() ? realm.cache().get(String(key)) : undefined;
      if (entry === undefined || entry.expires_at <= realm.now) return undefined;
      return { value: entry.value, expires_at: entry.expires_at };
    },
    set(key, value, options) {
      const member = 'api.cache.set';
      if (!open()) return failed('NotRunning');
      if (typeof key !== 'string') throw invalid(member, 'the key is not a string');
      if (typeof value !== 'string') throw invalid(member, 'the value is not a string. Use JSON.stringify');
      if (bytes(key) > cacheKey) return failed('CacheKeySizeExceeded');
      if (bytes(value) > cacheValue) return failed('CacheValueSizeExceeded');
      const { now, flow } = realm;
      const ends = typeof options?.expires_at === 'number' ? options.expires_at : Infinity;
      const lives = typeof options?.ttl === 'number' ? options.ttl : ends === Infinity ? cacheLifetime : maxCacheLifetime;
      const expires = Math.floor(Math.min(ends, now + lives, now + maxCacheLifetime));
      if (!(expires > now)) return failed('ItemAlreadyExpired');
      const kept = realm.cache();
      const live = [...kept].filter(([name, entry]) => name !== key && entry.expires_at > now).length;
      if (live >= cacheEntries) return failed('CacheSizeExceeded');
      const record = { key, value, expires_at: expires };
      weigh(value);
      kept.set(key, { value, expires_at: expires });
      (flow.writes ??= []).push([key, value, expires]);
      return { type: 'success', record };
    },
    delete(key) {
      if (!open()) return failed('NotRunning');
      const name = String(key);
      if (realm.cache().delete(name)) (realm.flow.writes ??= []).push([name, null, null]);
      return { type: 'success' };
    },
  };

  // -- all of it, by the table of members --

  const working = {
    'api.access.deny': deny,
    'api.authentication.challengeWith': withOne('api.authentication.challengeWith', false),
    'api.authentication.challengeWithAny': withAny('api.authentication.challengeWithAny', false),
    'api.authentication.enrollWith': withOne('api.authentication.enrollWith', true),
    'api.authentication.enrollWithAny': withAny('api.authentication.enrollWithAny', true),
    'api.cache.delete': cache.delete,
    'api.cache.get': cache.get,
    'api.cache.set': cache.set,
    'api.multifactor.enable': enable,
    'api.redirect.canRedirect': () => interactive.includes(realm.flow?.protocol),
    'api.redirect.sendUserTo': (address, options) => {
      if (open()) realm.redirect('api.redirect.sendUserTo', address, options?.query);
      return api;
    },
    'api.rules.wasExecuted': (name) => realm.flow?.rules?.includes(String(name)) ?? false,
  };

  const groups = new Map();
  for (const [path, treatment] of realm.members) {
    const [root, group, name] = path.split('.');
    if (root !== 'api' || treatment === 'unsupported') continue;
    if (!groups.has(group)) groups.set(group, {});
    const method = treatment === 'works' ? working[path] : recording(path);
    Object.defineProperty(method, 'name', { value: name });
    groups.get(group)[name] = method;
  }
  const api = realm.closed('api', Object.fromEntries(
    [...groups].map(([group, own]) => [group, realm.closed(`api.${group}`, own)]),
  ));
  realm.api = api;
  realm.exposed.push(api);
})
