# The language of the system, unless the login has set one.
if [ -z "$LANG" ] && [ -r /etc/locale.conf ]; then
	while IFS='=' read -r key value; do
		case $key in
		LANG | LANGUAGE | LC_*) export "$key=$value" ;;
		esac
	done < /etc/locale.conf
	unset key value
fi
