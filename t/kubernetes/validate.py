#!/usr/bin/python3
"""validate.py FILE ...: the manifests in the files against the types of the API.

Strictly: an unknown field, a value of another type, a field that is missing
or given twice is an error.  The types are those of the official client.
Prints the manifests as JSON, or what is wrong with them.
"""

import json
import re
import sys

import yaml

from kubernetes import client

wrong = []

# fields that the client of Debian 12 does not have

LATER = {
    ('V1Container', 'restartPolicy'): 'str',
    ('V1PodDisruptionBudgetSpec', 'unhealthyPodEvictionPolicy'): 'str',
}


# types of the Prometheus Operator, as far as they are used, in the form of the
# types of the client

class Model:

    def __init__(self, **values):
        missing = [name for name in self.openapi_types
                   if name not in values and name not in self.optional]

        if missing:
            raise ValueError('missing: ' + ', '.join(missing))


class ServiceMonitorEndpoint(Model):
    openapi_types = {'port': 'str', 'path': 'str', 'interval': 'str'}
    optional = {'path', 'interval'}
    attribute_map = {name: name for name in openapi_types}


class ServiceMonitorSpec(Model):
    openapi_types = {'selector': 'V1LabelSelector',
                     'endpoints': 'list[ServiceMonitorEndpoint]'}
    optional = set()
    attribute_map = {name: name for name in openapi_types}


class ServiceMonitor(Model):
    openapi_types = {'apiVersion': 'str', 'kind': 'str',
                     'metadata': 'V1ObjectMeta', 'spec': 'ServiceMonitorSpec'}
    optional = set()
    attribute_map = {name: name for name in openapi_types}


OWN = {model.__name__: model
       for model in (ServiceMonitor, ServiceMonitorSpec, ServiceMonitorEndpoint)}


class Loader(yaml.SafeLoader):

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]

        for key in keys:
            if keys.count(key) > 1:
                wrong.append(f'{key}: given twice{node.start_mark}')

        return super().construct_mapping(node, deep)


def is_quantity(value):
    return re.fullmatch(r'[0-9]+(\.[0-9]+)?(m|k|[KMGTPE]i?)?', str(value))


def check(kind, value, path):
    if kind.startswith('list['):
        if not isinstance(value, list):
            wrong.append(f'{path}: not a list')
            return

        for n, item in enumerate(value):
            check(kind[5:-1], item, f'{path}[{n}]')

    elif kind.startswith('dict('):
        if not isinstance(value, dict):
            wrong.append(f'{path}: not a map')
            return

        for key, item in value.items():
            if not isinstance(key, str):
                wrong.append(f'{path}.{key}: the key is not a string')

            check(kind.split(', ', 1)[1][:-1], item, f'{path}.{key}')

            if path.endswith(('.requests', '.limits')) \
                    and not is_quantity(item):
                wrong.append(f'{path}.{key}: not a quantity')

    elif kind in ('str', 'int', 'bool', 'float'):
        if type(value).__name__ != kind:
            wrong.append(f'{path}: {value!r} is not of type {kind}')

    elif kind == 'object':
        if not isinstance(value, (str, int)) or isinstance(value, bool):
            wrong.append(f'{path}: neither a string nor a number')

    else:
        check_model(OWN.get(kind) or getattr(client, kind), value, path)


def check_model(model, value, path):
    if not isinstance(value, dict):
        wrong.append(f'{path}: not a map')
        return

    names = {json_name: name for name, json_name in model.attribute_map.items()}

    for key, item in value.items():
        later = LATER.get((model.__name__, key))

        if key not in names and later:
            check(later, item, f'{path}.{key}')
        elif key not in names:
            wrong.append(f'{path}.{key}: unknown')
        elif item is None:
            wrong.append(f'{path}.{key}: empty')
        else:
            check(model.openapi_types[names[key]], item, f'{path}.{key}')

    # the client itself knows what is required

    try:
        model(**{names[key]: item for key, item in value.items()
                 if key in names})
    except ValueError as error:
        wrong.append(f'{path}: {error}')


def model_of(manifest):
    if manifest.get('apiVersion') == 'monitoring.coreos.com/v1':
        return OWN.get(str(manifest.get('kind')))

    version = manifest.get('apiVersion', '').split('/')[-1]
    name = version[:1].upper() + version[1:] + str(manifest.get('kind'))

    return getattr(client, name, None)


manifests = []

for path in sys.argv[1:]:
    with open(path) as file:
        manifests += yaml.load_all(file, Loader)

for manifest in manifests:
    model = model_of(manifest)

    if model is None:
        wrong.append(f'no such kind: {manifest.get("apiVersion")} '
                     f'{manifest.get("kind")}')
    else:
        check_model(model, manifest, manifest['kind'])

if wrong:
    sys.exit('\n'.join(wrong))

print(json.dumps(manifests))
