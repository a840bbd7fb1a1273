//! Grants: what a channel's plugin may reach, and its credentials.

use anyhow::{Context as _, anyhow};
use clap::Args;
use tidings_api_types::{ChannelInfo, CredentialGrant, GrantsRequest};
use tidings_domain::grant::Grant;
use tidings_domain::manifest::Capability;

use super::show::show;
use crate::cli::client::ApiClient;
use crate::cli::output::Output;

#[derive(Debug, Args)]
pub(super) struct GrantArgs {
    name: String,
    /// Grant what the plugin requests with its present configuration
    #[arg(
        long,
        group = "http_grants",
        required_unless_present_any = ["net", "http", "credential"],
        conflicts_with_all = ["net", "http"]
    )]
    as_asked: bool,
    /// Grant TCP and TLS connections there
    #[arg(long, value_name = "HOST:PORT", num_args = 1..)]
    net: Vec<String>,
    /// Grant HTTPS requests there
    #[arg(long, group = "http_grants", value_name = "HOST:PORT", num_args = 1..)]
    http: Vec<String>,
    /// Give the host these secrets to use for the plugin; replaces earlier ones. KIND is google-service-account,
    /// client-certificate, header (authorization) or header/NAME; the secret is in FILE
    #[arg(long, value_name = "NAME=KIND:HOST:@FILE", num_args = 1..)]
    credential: Vec<String>,
    /// Allow private, loopback and link-local addresses
    #[arg(long)]
    private: bool,
    /// With --http or --as-asked: allow HTTP without TLS
    #[arg(long, requires = "http_grants")]
    plain_http: bool,
}

pub(super) async fn run(client: &ApiClient, args: &GrantArgs, out: &mut Output) -> anyhow::Result<()> {
    let url = client.api(&["channels", &args.name, "grants"])?;
    // The second request changes what the first one wrote; its tag makes sure that no other change is lost between them.
    let mut channel = client.get_tagged::<ChannelInfo>(&client.api(&["channels", &args.name])?).await?;
    for request in requests(args)? {
        channel = client.put_tagged(&url, &channel, &request).await?;
    }
    show(&channel.value, out)
}

/// The requests that grant it, in order.
fn requests(args: &GrantArgs) -> anyhow::Result<Vec<GrantsRequest>> {
    let mut requests = Vec::new();
    if !args.credential.is_empty() {
        let given = args.credential.iter().map(|text| credential(text)).collect::<anyhow::Result<Vec<_>>>()?;
        requests.push(GrantsRequest { credentials: Some(given), ..GrantsRequest::default() });
    }
    if args.as_asked {
        let GrantArgs { private, plain_http, .. } = *args;
        requests.push(GrantsRequest { as_asked: true, private, plain_http, ..GrantsRequest::default() });
    } else if !args.net.is_empty() || !args.http.is_empty() {
        requests.push(GrantsRequest { reach: Some(reach(args)?), ..GrantsRequest::default() });
    }
    Ok(requests)
}

/// `NAME=KIND:HOST:@FILE`. The secret itself is never an argument: every user of the machine can read those.
fn credential(text: &str) -> anyhow::Result<CredentialGrant> {
    let form = || anyhow!("a credential is given as NAME=KIND:HOST:@FILE");
    let (place, file) = text.split_once(":@").ok_or_else(form)?;
    let (name, place) = place.split_once('=').ok_or_else(form)?;
    let (kind, host) = place.split_once(':').ok_or_else(form)?;
    let value = std::fs::read_to_string(file).with_context(|| format!("{name}: cannot read {file}"))?;
    let (kind, header) = match kind.split_once('/') {
        Some((kind, header)) => (kind, Some(header)),
        None => (kind, (kind == "header").then_some("authorization")),
    };
    Ok(CredentialGrant {
        name: name.to_owned(),
        kind: Some(kind.to_owned()),
        header: header.map(str::to_owned),
        value: value.strip_suffix('\n').unwrap_or(&value).to_owned(),
        host: host.trim_matches(['[', ']']).to_owned(),
    })
}

fn reach(args: &GrantArgs) -> anyhow::Result<Vec<Grant>> {
    let grant = |capability: Capability, plain_http: bool| {
        move |place: &String| -> anyhow::Result<Grant> {
            let (host, port) = place.rsplit_once(':').ok_or_else(|| anyhow!("`{place}` is not HOST:PORT"))?;
            let port: u16 = port.parse().with_context(|| format!("`{port}` is not a port"))?;
            let host = host.trim_matches(['[', ']']).to_owned();
            Ok(Grant { capability, host, port, private: args.private, plain_http })
        }
    };
    let net = args.net.iter().map(grant(Capability::Net, false));
    let http = args.http.iter().map(grant(Capability::Http, args.plain_http));
    net.chain(http).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        grant: GrantArgs,
    }

    fn parsed(line: &str) -> Result<Vec<GrantsRequest>, clap::Error> {
        Line::try_parse_from(line.split(' ')).map(|line| requests(&line.grant).expect("valid arguments"))
    }

    #[test]
    fn a_credential_is_read_from_its_file() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), "s3cret\n").expect("it can be written");
        let grant = |kind: &str, header: Option<&str>, host: &str| CredentialGrant {
            name: "key".into(),
            kind: Some(kind.into()),
            header: header.map(Into::into),
            value: "s3cret".into(),
            host: host.into(),
        };
        for (text, expected) in [
            ("key=header:push.example.org", Some(grant("header", Some("authorization"), "push.example.org"))),
            ("key=header/x-key:push.example.org", Some(grant("header", Some("x-key"), "push.example.org"))),
            ("key=header:[::1]", Some(grant("header", Some("authorization"), "::1"))),
            ("key=client-certificate:irc.example.org", Some(grant("client-certificate", None, "irc.example.org"))),
            ("key=header", None),
            ("header:push.example.org", None),
        ] {
            assert_eq!(credential(&format!("{text}:@{}", file.path().display())).ok(), expected, "{text}");
        }
        assert!(credential("key=header:push.example.org:s3cret").is_err(), "a secret cannot be an argument");
        assert!(credential("key=header:push.example.org:@/nonexistent").is_err());
    }

    /// The flag was accepted with `--as-asked`, and ignored.
    #[test]
    fn plain_http_is_granted_as_asked_as_well_and_refused_where_it_has_no_effect() {
        let asked = |private, plain_http| GrantsRequest { as_asked: true, private, plain_http, ..Default::default() };
        assert_eq!(parsed("grant ntfy --as-asked --plain-http").expect("valid"), [asked(false, true)]);
        assert_eq!(parsed("grant ntfy --as-asked --private").expect("valid"), [asked(true, false)]);
        let http = parsed("grant ntfy --http a.example:80 --plain-http").expect("valid");
        assert!(http[0].reach.as_ref().expect("a list")[0].plain_http);
        assert!(parsed("grant ntfy --net a.example:80 --plain-http").is_err());
        assert!(parsed("grant ntfy --as-asked --http a.example:80").is_err());
    }
}
