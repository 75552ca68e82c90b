# Run by systemd on a host of its own (boot.sh): what the units of examples do. One line for each finding.
say() { echo "$1=$2"; }
ask() { curl -s -m 5 -o /dev/null -w '%{http_code}' http://169.254.169.254/latest/meta-data/ || true; }
property() { systemctl show -p "$1" --value imds-guard-gateway.service; }

systemctl start imds-guard-gateway.service
say active "$(systemctl is-active imds-guard-gateway.service imds-guard-gateway-rules.service | tr '\n' ' ')"
pid=$(property MainPID)
say uid "$(awk '/^Uid:/ { print $2, $3 }' "/proc/$pid/status")"
say capabilities "$(awk '/^Cap(Eff|Bnd|Amb):/ { printf "%s ", $2 }' "/proc/$pid/status")"
say refused "$(ask)"
systemd-run --wait --quiet --unit=agent.service curl -s -m 5 -o /dev/null http://169.254.169.254/latest/meta-data/
systemd-run --wait --quiet --unit=job.service -p User=person curl -s -m 5 -o /dev/null http://169.254.169.254/latest/user-data
imds-guard gateway status > /dev/null
say status $?

mkdir -p /etc/imds-guard
printf '[[rule]]\nuser = "person"\n' > /etc/imds-guard/gateway.toml
systemctl reload imds-guard-gateway.service
printf '[[rule]]\nusr = "person"\n' > /etc/imds-guard/gateway.toml
sleep 1
systemctl reload imds-guard-gateway.service
sleep 1
say same "$([ "$pid" = "$(property MainPID)" ] && echo yes)"
rm /etc/imds-guard/gateway.toml

kill -9 "$pid"
say killed "$(ask)"
for _ in $(seq 50); do
  [ "$(property SubState)" = running ] && [ "$(property MainPID)" != "$pid" ] && break
  sleep 0.2
done
say restarted "$(ask)"
say owners "$(journalctl -u imds-guard-gateway.service -o cat --no-pager | grep -o 'owners of connections by [^;]*' | tr '\n' ';')"
systemctl stop imds-guard-gateway.service
say stopped "$(ask)"
systemctl stop imds-guard-gateway-rules.service
imds-guard gateway status > /dev/null
say gone $?
say report "$(imds-guard gateway report --access-log /var/log/imds-guard/access.jsonl | awk '/agent.service|job.service/ { printf "%s %s %s; ", $1, $2, $3 }')"
say journal "$(journalctl -u imds-guard-gateway.service -o cat --no-pager | grep -E -o '[0-9]+ in force|line [0-9]+, column [0-9]+: "usr" is not known' | sort -u | tr '\n' ';')"
