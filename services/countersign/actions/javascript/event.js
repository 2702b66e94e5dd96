// The event that an Action sees, and what a Rule sees of it.
(function (realm) {
  'use strict';

  // As they are now: code that runs later may put something of the same name before them.
  const { Date, JSON, Object } = globalThis;

  const { parse } = JSON;

  // Returns the event as Auth0 has it: all that was sent, and what Auth0's always has.
  realm.eventOf = (text, tenant) => {
    const event = parse(text);
    delete event.login;
    const { user, client, connection, organization, transaction } = event;
    user.app_metadata ??= {};
    user.user_metadata ??= {};
    user.identities ??= [];
    client.metadata ??= {};
    if (connection) connection.metadata ??= {};
    if (organization) organization.metadata ??= {};
    const request = (event.request ??= {});
    request.query ??= {};
    request.body ??= {};
    request.geoip ??= {};
    if (transaction) {
      transaction.acr_values ??= [];
      transaction.prompt ??= [];
      transaction.requested_scopes ??= [];
      transaction.response_type ??= [];
      transaction.ui_locales ??= [];
      transaction.metadata ??= {};
    }
    event.stats ??= {};
    (event.tenant ??= {}).id = tenant;
    return event;
  };

  const GEO = {
    country_code: 'countryCode',
    country_code3: 'countryCode3',
    country_name: 'countryName',
    city_name: 'cityName',
    latitude: 'latitude',
    longitude: 'longitude',
    time_zone: 'timeZone',
    continent_code: 'continentCode',
    subdivision_code: 'subdivisionCode',
    subdivision_name: 'subdivisionName',
  };

  // Returns the `context` of Rules.
  realm.contextOf = (event) => {
    const { client, connection, request, stats, transaction, organization, authentication } = event;
    const context = {
      tenant: event.tenant.id,
      clientID: client.client_id,
      clientName: client.name,
      clientMetadata: client.metadata,
      connection: connection?.name,
      connectionID: connection?.id,
      connectionStrategy: connection?.strategy,
      connectionMetadata: connection?.metadata,
      protocol: transaction?.protocol,
      stats: { loginsCount: stats.logins_count },
      sessionID: event.session?.id,
      request: {
        userAgent: request.user_agent,
        ip: request.ip,
        hostname: request.hostname,
        language: request.language,
        method: request.method,
        query: request.query,
        body: request.body,
        geoip: Object.fromEntries(Object.entries(GEO).map(([name, from]) => [name, request.geoip[from]])),
      },
      authentication: {
        methods: (authentication?.methods ?? []).map((method) => ({
          ...method,
          timestamp: method.timestamp === undefined || method.timestamp === null
            ? method.timestamp
            : Date.parse(method.timestamp),
        })),
      },
      authorization: { roles: event.authorization?.roles ?? [] },
      accessToken: {},
      idToken: {},
      samlConfiguration: {},
    };
    if (authentication?.riskAssessment) context.riskAssessment = authentication.riskAssessment;
    if (organization) context.organization = organization;
    return context;
  };
})
