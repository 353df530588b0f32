#!/bin/sh
# Following and commanding Mien from a shell: mosquitto.sh WORD. BROKER, PORT and DEVICE from the environment.
BROKER=${BROKER:-127.0.0.1}
PORT=${PORT:-1883}
DEVICE=${DEVICE:-+}

case ${1:-help} in threshold | pause | resume | identify)
    if [ "$DEVICE" = + ]; then # whoever is there, if it is one
        DEVICE=$(mosquitto_sub -h "$BROKER" -p "$PORT" -t 'mien/+/availability' -W 3 -F %t 2>/dev/null |
            cut -d/ -f2 | sort -u)
        case $DEVICE in *[!a-z0-9_-]* | '')
            echo "name one with DEVICE=...; seen: $(echo "${DEVICE:-none}" | tr '\n' ' ')" >&2
            exit 1 ;;
        esac
    fi ;;
esac

case ${1:-help} in
all)      # everything, readable
    mosquitto_sub -h "$BROKER" -p "$PORT" -t "mien/$DEVICE/#" -v ;;
events)   # one line an event: time, device, face, change, probability
    mosquitto_sub -h "$BROKER" -p "$PORT" -t "mien/$DEVICE/event" |
        jq -r --unbuffered '[.at, .device_id, .track_id, .event_type, .previous // "-",
                             .expression, .probability] | @tsv' ;;
csv)      # the same for a spreadsheet; second copies dropped by device, boot and seq
    mosquitto_sub -h "$BROKER" -p "$PORT" -q 1 -t "mien/$DEVICE/event" |
        jq -rn --unbuffered 'foreach inputs as $e ({};
            "\($e.device_id) \($e.boot_id) \($e.seq)" as $key | .fresh = (.[$key] == null) |
            .[$key] = true; if .fresh then $e else empty end) |
            [.device_id, .at, .event_type, .track_id, .expression, .probability,
             .historical] | @csv' ;;
problems) # devices that are away or say that something is wrong
    mosquitto_sub -h "$BROKER" -p "$PORT" -t "mien/$DEVICE/availability" -t "mien/$DEVICE/health" -v |
        grep --line-buffered -e ' offline$' -e '"problem":"' ;;
threshold) # mosquitto.sh threshold 0.6
    mosquitto_pub -q 1 -h "$BROKER" -p "$PORT" -t "mien/$DEVICE/command/set" \
        -m "{\"settings\": {\"smoothing.threshold\": $2}}" ;;
pause | resume | identify) # nobody is watched; watched again; flash the screen
    mosquitto_pub -q 1 -h "$BROKER" -p "$PORT" -t "mien/$DEVICE/command/$1" -m '{}' ;;
*)
    sed -n '2s/^# //p; s/^\([a-z |]*\))  *#/\1:/p' "$0" ;;
esac
