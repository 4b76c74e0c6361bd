// A report in words: what was found, and what was not looked at.

const REVOCATION = {
  not_checked: 'not checked',
  no_data: 'there is no data yet',
  not_revoked: 'not revoked',
  revoked: 'revoked',
};

/** What a reader must not miss. */
export function notes(report, problems) {
  const lines = [];
  if (report.license && report.device === null) lines.push('The device was not compared.');
  if (report.license && report.revocation === 'not_checked') lines.push('Whether the licence is revoked was not checked.');
  if (report.license && report.revocation === 'no_data') lines.push('There is no data that says whether the licence is revoked.');
  for (const { document, url, code, message } of problems) {
    lines.push(`${documentName(document)} from ${url}: ${message} (${code})`);
  }
  if (report.wanted) lines.push(`${documentName(report.wanted.document)} is needed: ${report.wanted.url}`);
  return lines;
}

/** Names and values, for a table. */
export function facts({ license, device, clock, ...report }) {
  const rows = [];
  const add = (name, value) => {
    if (value !== null && value !== undefined && value !== '') rows.push([name, String(value)]);
  };
  if (license) {
    add('Issuer', license.issuer);
    add('App', license.audience);
    add('Subject', license.subject);
    add('Licence id', license.jti);
    add('Key', license.kid);
    add('Issued', time(license.issued_at));
    add('Valid from', time(license.not_before));
    add('Valid until', time(license.expires_at));
    add('Renew after', license.renew_after && time(license.renew_after));
    add('Plan', license.plan);
    add('Trial', license.trial ? 'yes' : 'no');
    add('Entitlements', license.entitlements.join(', '));
    add('Limits', Object.entries(license.limits).map(([name, limit]) => `${name}: ${limit}`).join(', '));
    add('Grace', license.grace_s ? span(license.grace_s) : null);
  }
  add('Begins in', report.starts_in_s && span(report.starts_in_s));
  add('Over since', report.since_s !== null ? span(report.since_s) : null);
  add('Grace left', report.grace_left_s !== null ? span(report.grace_left_s) : null);
  add('Revoked', report.revoked_at && time(report.revoked_at));
  if (license) {
    add('Revocation', REVOCATION[report.revocation]);
    add('Age of revocation data', report.revocation_age_s !== null ? span(report.revocation_age_s) : null);
  }
  if (device) {
    add('Device', `${device.matched} of ${device.total} components match; ${device.required} must`);
    add('Other components', device.drifted.join(', '));
  }
  if (clock) add('Clock', time(clock.trusted));
  return rows;
}

function documentName(name) {
  return name === 'key_set' ? 'The signed key set' : 'The status shard';
}

/** Unix seconds as a date in UTC; those that no calendar has stay numbers. */
function time(seconds) {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `${seconds} (Unix time)` : `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

function span(seconds) {
  const units = [
    [86_400, 'day'],
    [3_600, 'hour'],
    [60, 'minute'],
    [1, 'second'],
  ];
  const [size, unit] = units.find(([length]) => seconds >= length) ?? [1, 'second'];
  const count = Math.floor(seconds / size);
  return `${count.toLocaleString('en')} ${unit}${count === 1 ? '' : 's'}`;
}
